"""The library as other tools' own interfaces for models have it: a file a tool."""
