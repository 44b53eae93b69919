/** Numbers from 0 to 1 that are the same on every run, so that the pictures can be made again bit for bit (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Heights in pixels from the top, evenly spaced from the left edge to the right one. */
export type Skyline = readonly number[];

/** A jagged skyline by midpoint displacement: mountains. `roughness` 0.5 is rocky, 0.4 is worn. */
export function ridge(random: () => number, middle: number, amplitude: number, roughness = 0.5): Skyline {
  let heights = [middle + (random() - 0.5) * amplitude, middle + (random() - 0.5) * amplitude];
  for (let reach = amplitude; heights.length < 200; reach *= roughness) {
    heights = heights.flatMap((height, at) => {
      const next = heights[at + 1];
      return next === undefined ? [height] : [height, (height + next) / 2 + (random() - 0.5) * reach];
    });
  }
  return heights;
}

/** A smooth skyline of a few waves: dunes, hills. */
export function swell(random: () => number, middle: number, amplitude: number, waves = 2): Skyline {
  const parts = Array.from({ length: 3 }, (_, part) => ({
    turns: waves * (part + 1) * (0.7 + random() * 0.5),
    start: random() * 2 * Math.PI,
    height: amplitude / (part + 1) ** 1.6,
  }));
  return Array.from({ length: 121 }, (_, at) =>
    parts.reduce((y, { turns, start, height }) => y + Math.sin((at / 120) * turns * Math.PI + start) * height, middle),
  );
}

/** The ground below a skyline as an SVG path. */
export function groundPath(skyline: Skyline, width: number, height: number): string {
  const step = width / (skyline.length - 1);
  const points = skyline.map((y, at) => `${(at * step).toFixed(1)} ${y.toFixed(1)}`);
  return `M0 ${height} L${points.join(" L")} L${width} ${height} Z`;
}
