/* Told to the page before its own scripts: when which slice is drawn, by the number that stands in its pixels (bench/slices.py). */
(() => {
  'use strict';
  const BITS = 8, CELL = 32 / 512;
  const viewing = { first: null, frames: {}, keys: [], drawn: [] };
  window.viewing = viewing;

  const number = canvas => {
    const side = Math.min(canvas.width, canvas.height);
    const left = Math.round(canvas.width / 2 - (BITS / 2) * CELL * side);
    const wide = Math.round(BITS * CELL * side);
    const row = canvas.getContext('2d').getImageData(left, Math.round(canvas.height / 2), wide, 1).data;
    let told = 0;
    for (let bit = 0; bit < BITS; bit++) {
      told = 2 * told + (row[4 * Math.floor(((bit + 0.5) / BITS) * wide)] > 127 ? 1 : 0);
    }
    return told;
  };

  // It does not bubble; whoever listens on the way down hears it.
  window.addEventListener('CORNERSTONE_IMAGE_RENDERED', event => {
    const canvas = event.target.querySelector('canvas.cornerstone-canvas');
    const slice = canvas && number(canvas);
    if (slice > 0 && slice < 2 ** BITS - 1) {
      const at = performance.now();
      viewing.first ??= at;
      viewing.drawn.push([at, slice]);
    }
  }, true);

  window.addEventListener('keydown', event => viewing.keys.push(event.timeStamp), true);

  performance.setResourceTimingBufferSize(5000);
  new PerformanceObserver(list => {
    for (const entry of list.getEntries()) {
      if (entry.name.includes('/frames/')) {
        viewing.frames[entry.name] = entry.responseEnd;
      }
    }
  }).observe({ type: 'resource', buffered: true });
})();
