// SPDX-License-Identifier: Apache-2.0
import { defineConfig } from 'vitest/config';

export default defineConfig({
  base: './', // the server sets <base>, so one build works under any prefix
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  build: {
    target: 'es2022',
    assetsDir: 'static',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  test: { setupFiles: ['test/setup.ts'] },
  worker: { format: 'es' },
  server: { proxy: { '/api': 'http://127.0.0.1:16686' } },
});
