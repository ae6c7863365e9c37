// SPDX-License-Identifier: Apache-2.0
import { fileURLToPath } from 'node:url';
import js from '@eslint/js';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['dist', 'node_modules'] },
  { files: ['**/*.js'], languageOptions: { globals: { URL: 'readonly' } } },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: fileURLToPath(new URL('.', import.meta.url)) },
    },
    rules: {
      eqeqeq: 'error',
      'no-console': 'error',
      // An index into a typed array is a number by construction; "!" says so where the bound was just checked.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      // Indexes are not known to be in bounds, and what comes over the wire may lack anything.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      // () => set(x) is how a handler reads best.
      '@typescript-eslint/no-confusing-void-expression': 'off',
    },
  },
  // Files are someone else's data, whatever their types claim.
  { files: ['src/trace/otlp.ts'], rules: { '@typescript-eslint/no-unnecessary-type-conversion': 'off' } },
  { files: ['eslint.config.js'], extends: [tseslint.configs.disableTypeChecked] },
);
