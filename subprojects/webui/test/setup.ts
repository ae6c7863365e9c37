// SPDX-License-Identifier: Apache-2.0
// The little of a browser that modules touch when they are loaded.
Object.assign(globalThis, {
  window: globalThis,
  document: { baseURI: 'http://localhost/', documentElement: { dataset: {} } },
  matchMedia: () => ({ matches: false, addEventListener() {} }),
});
