import js from "@eslint/js";
import ts from "typescript-eslint";

export default ts.config(
  { ignores: ["node_modules", "tests/vectors", "test-results", "src/sw.js"] },
  js.configs.recommended,
  ...ts.configs.strict,
  {
    rules: {
      // Arrays of known length are indexed all over the geometry.
      "@typescript-eslint/no-non-null-assertion": "off",
    },
  },
);
