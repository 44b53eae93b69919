/** A picture that is drawn rather than taken. */
export interface Scene {
  readonly width: number;
  readonly height: number;
  readonly svg: string;
}

/** A colour of a gradient, at an offset from 0 to 1. */
export type Stop = readonly [offset: number, colour: string, opacity?: number];

function stops(list: readonly Stop[]): string {
  return list
    .map(
      ([offset, colour, opacity = 1]) => `<stop offset="${offset}" stop-color="${colour}" stop-opacity="${opacity}"/>`,
    )
    .join("");
}

export function downward(id: string, ...list: Stop[]): string {
  return `<linearGradient id="${id}" x1="0" y1="0" x2="0" y2="1">${stops(list)}</linearGradient>`;
}

export function glow(id: string, ...list: Stop[]): string {
  return `<radialGradient id="${id}">${stops(list)}</radialGradient>`;
}

export function blur(id: string, radius: number): string {
  return `<filter id="${id}" x="-50%" y="-50%" width="200%" height="200%"><feGaussianBlur stdDeviation="${radius}"/></filter>`;
}

export function scene(width: number, height: number, definitions: string, body: string): Scene {
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">` +
    `<defs>${definitions}</defs>${body}</svg>`;
  return { width, height, svg };
}

export function sky(width: number, height: number): string {
  return `<rect width="${width}" height="${height}" fill="url(#sky)"/>`;
}

export function stars(random: () => number, count: number, width: number, height: number): string {
  return Array.from({ length: count }, () => {
    const radius = 0.6 + random() ** 4 * 1.8;
    return (
      `<circle cx="${(random() * width).toFixed(1)}" cy="${(random() * height).toFixed(1)}" ` +
      `r="${radius.toFixed(2)}" fill="#fff" opacity="${(0.35 + random() * 0.6).toFixed(2)}"/>`
    );
  }).join("");
}
