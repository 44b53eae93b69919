import { groundPath, ridge, seededRandom } from "./landforms.ts";
import { blur, downward, glow, scene, type Scene, sky, stars } from "./scene.ts";

/** A full moon over calm water. */
export function seaAtNight(): Scene {
  const [width, height] = [1200, 675];
  const random = seededRandom(12);
  const glints = Array.from({ length: 150 }, () => {
    const depth = random() ** 1.4;
    const spread = 40 + depth * 200;
    const x = 780 + (random() + random() - 1) * spread;
    const length = 14 + depth * 90 * random();
    return (
      `<rect x="${(x - length / 2).toFixed(1)}" y="${(398 + depth * 265).toFixed(1)}" width="${length.toFixed(1)}" ` +
      `height="${(1.4 + depth * 3).toFixed(1)}" rx="2" fill="#fdf3cf" opacity="${(0.75 - depth * 0.5).toFixed(2)}"/>`
    );
  });
  return scene(
    width,
    height,
    downward("sky", [0, "#060b24"], [0.4, "#15265a"], [0.6, "#3b5a94"]) +
      downward("sea", [0, "#274477"], [1, "#050a1c"]) +
      glow("moon", [0, "#fffbe6"], [0.26, "#fff4cc"], [0.29, "#cfd8ff", 0.35], [1, "#8fa6ff", 0]),
    `${sky(width, height)}${stars(random, 130, width, 360)}<circle cx="780" cy="190" r="210" fill="url(#moon)"/>` +
      `<rect y="392" width="${width}" height="283" fill="url(#sea)"/>${glints.join("")}`,
  );
}

function tower(random: () => number, x: number, top: number, width: number, bottom: number, colour: string): string {
  const lit: string[] = [];
  for (let y = top + 18; y < bottom - 30; y += 22) {
    for (let column = x + 10; column < x + width - 14; column += 18) {
      if (random() < 0.34) {
        const shade = random() < 0.7 ? "#ffd98a" : "#ffeccb";
        lit.push(
          `<rect x="${column}" y="${y}" width="9" height="12" fill="${shade}" opacity="${(0.5 + random() * 0.5).toFixed(2)}"/>`,
        );
      }
    }
  }
  return `<rect x="${x}" y="${top}" width="${width}" height="${bottom - top}" fill="${colour}"/>${lit.join("")}`;
}

/** A city at dusk, upright. */
export function city(): Scene {
  const [width, height] = [800, 1200];
  const random = seededRandom(23);
  const far = Array.from({ length: 14 }, (_, at) => {
    const top = 560 + random() * 260;
    return `<rect x="${at * 60 - 12}" y="${top.toFixed(0)}" width="66" height="${height}" fill="#7d4a76" opacity="0.75"/>`;
  });
  const near = Array.from({ length: 9 }, (_, at) =>
    tower(random, at * 92 - 14, Math.round(640 + random() * 330), 84, height, at % 2 === 0 ? "#2a1a3f" : "#1d1230"),
  );
  return scene(
    width,
    height,
    downward("sky", [0, "#1f1b4d"], [0.35, "#7a3b78"], [0.6, "#f0785a"], [0.75, "#ffc27a"]) +
      glow("sun", [0, "#ffe9b8"], [0.3, "#ffd08a", 0.8], [1, "#ff9a6a", 0]),
    `${sky(width, height)}${stars(random, 60, width, 320)}<circle cx="250" cy="640" r="260" fill="url(#sun)"/>` +
      far.join("") +
      near.join(""),
  );
}

/** Northern lights above a dark ridge. */
export function northernLights(): Scene {
  const [width, height] = [1200, 800];
  const random = seededRandom(64);
  const curtain = (base: number, drift: number, fill: string): string =>
    Array.from({ length: 46 }, (_, at) => {
      const x = (at / 45) * width + (random() - 0.5) * 24;
      const foot = base + Math.sin((at / 45) * 5 + drift) * 70;
      const reach = 190 + random() * 220;
      return (
        `<rect x="${(x - 18).toFixed(0)}" y="${(foot - reach).toFixed(0)}" width="36" height="${reach.toFixed(0)}" ` +
        `fill="url(#${fill})" opacity="${(0.25 + random() * 0.5).toFixed(2)}"/>`
      );
    }).join("");
  const hills = ["#0b1d2a", "#050d14"].map((colour, at) => {
    const skyline = ridge(random, 640 + at * 70, 160 - at * 50, 0.48);
    return `<path d="${groundPath(skyline, width, height)}" fill="${colour}"/>`;
  });
  return scene(
    width,
    height,
    downward("sky", [0, "#060a1f"], [0.6, "#0e2a45"], [0.85, "#1c5a5f"]) +
      downward("green", [0, "#7c3fc4", 0], [0.35, "#4f8fd6", 0.35], [0.75, "#3df2a0", 0.9], [1, "#b8ffd2", 0]) +
      downward("violet", [0, "#d04fc0", 0], [0.5, "#8a4fe0", 0.5], [0.85, "#46e0c0", 0.6], [1, "#46e0c0", 0]) +
      blur("soft", 13),
    `${sky(width, height)}${stars(random, 150, width, 560)}<g filter="url(#soft)">${curtain(400, 0.4, "violet")}` +
      `${curtain(500, 2.2, "green")}</g>${hills.join("")}`,
  );
}

function fir(x: number, foot: number, size: number): string {
  const tiers = [0, 1, 2, 3].map((tier) => {
    const top = foot - size + tier * size * 0.2;
    const half = size * (0.09 + tier * 0.06);
    return `M${x.toFixed(0)} ${top.toFixed(0)} L${(x + half).toFixed(0)} ${(top + size * 0.4).toFixed(0)} L${(x - half).toFixed(0)} ${(top + size * 0.4).toFixed(0)} Z`;
  });
  return tiers.join(" ");
}

/** Firs in the mist before sunrise, upright. */
export function forest(): Scene {
  const [width, height] = [800, 1000];
  const random = seededRandom(31);
  const rows = ["#a8c6c2", "#7fa8a4", "#568682", "#2f625f", "#123b3c"].map((colour, at) => {
    const foot = 560 + at * 100;
    const trees = Array.from({ length: 17 - at * 2 }, (_, tree) => {
      const x = ((tree + random() * 0.8) / (16 - at * 2)) * width;
      return fir(x, foot + 40 + random() * 40, 190 + at * 62 + random() * 90);
    });
    return `<path d="${trees.join(" ")} M0 ${foot} H${width} V${height} H0 Z" fill="${colour}"/>${at < 4 ? `<rect y="${foot - 60}" width="${width}" height="170" fill="url(#mist)"/>` : ""}`;
  });
  return scene(
    width,
    height,
    downward("sky", [0, "#8fb7c9"], [0.45, "#f6e8d5"], [1, "#f6e8d5"]) +
      downward("mist", [0, "#f3efe4", 0], [0.6, "#f3efe4", 0.4], [1, "#f3efe4", 0]) +
      glow("sun", [0, "#fffdf2"], [0.2, "#fff6dc"], [0.24, "#fff0cf", 0.7], [1, "#fff0cf", 0]),
    `${sky(width, height)}<circle cx="540" cy="240" r="230" fill="url(#sun)"/>${rows.join("")}`,
  );
}
