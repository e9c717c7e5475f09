"""What runs in environments of its own (``picosam2.export.environment``), and their packages."""
