import { groundPath, ridge, seededRandom, swell } from "./landforms.ts";
import { blur, downward, glow, scene, type Scene, sky } from "./scene.ts";

/** Dunes under a low sun, each ridge with a lit side and a long shadow. */
export function dunes(): Scene {
  const [width, height] = [1200, 800];
  const random = seededRandom(41);
  const layers = [
    ["#e9a876", "#d98f63"],
    ["#dd8a55", "#b9603c"],
    ["#c86c3f", "#8f3f2e"],
    ["#9c4530", "#4c1d24"],
  ];
  const ground = layers.map((_, at) => {
    const skyline = swell(random, 430 + at * 95, 34 + at * 12, 1.6);
    return `<path d="${groundPath(skyline, width, height)}" fill="url(#sand${at})"/>`;
  });
  return scene(
    width,
    height,
    downward("sky", [0, "#31406f"], [0.35, "#b7647a"], [0.56, "#f7b27a"], [0.62, "#ffe0a8"]) +
      glow("sun", [0, "#fff6d8"], [0.16, "#fff0c0"], [0.2, "#ffd58a", 0.6], [1, "#ffb070", 0]) +
      layers.map(([lit, shade], at) => downward(`sand${at}`, [0, lit ?? ""], [0.75, shade ?? ""])).join(""),
    `${sky(width, height)}<circle cx="820" cy="390" r="300" fill="url(#sun)"/>${ground.join("")}`,
  );
}

/** Pale ridges one behind the other; flat colours, so it is small as PNG too. */
export function mountains(): Scene {
  const [width, height] = [1200, 800];
  const random = seededRandom(7);
  const colours = ["#b9cbd9", "#93aec4", "#6a8dab", "#456c8e", "#2a4d6c", "#152f47"];
  const ground = colours.map((colour, at) => {
    const skyline = ridge(random, 330 + at * 82, 300 - at * 26, 0.47);
    return `<path d="${groundPath(skyline, width, height)}" fill="${colour}"/>`;
  });
  return scene(
    width,
    height,
    downward("sky", [0, "#7fb2d6"], [0.6, "#f3e3cf"]),
    `${sky(width, height)}<circle cx="300" cy="190" r="62" fill="#fff7e6"/>${ground.join("")}`,
  );
}

/** A lake between hills at sunrise, everything twice. */
export function lake(): Scene {
  const [width, height] = [800, 1200];
  const random = seededRandom(77);
  const shore = 600;
  const slopes = ["#8f7fb0", "#5f5a91", "#33386b"].map((colour, at) => {
    const skyline = ridge(random, 450 + at * 55, 220 - at * 50, 0.45).map((y) => Math.min(y, shore - 4));
    return `<path d="${groundPath(skyline, width, shore)}" fill="${colour}"/>`;
  });
  const land =
    `<rect width="${width}" height="${shore}" fill="url(#sky)"/>` +
    `<circle cx="430" cy="390" r="230" fill="url(#sun)"/>${slopes.join("")}`;
  const ripples = Array.from({ length: 46 }, () => {
    const depth = random();
    const x = random() * width;
    const length = 30 + random() * 160;
    return (
      `<rect x="${x.toFixed(0)}" y="${(shore + 14 + depth * 560).toFixed(0)}" width="${length.toFixed(0)}" height="${(1 + depth * 2.4).toFixed(1)}" ` +
      `rx="1.5" fill="#fff" opacity="${(0.06 + random() * 0.14).toFixed(2)}"/>`
    );
  });
  return scene(
    width,
    height,
    downward("sky", [0, "#4f6fb0"], [0.5, "#e59bb0"], [0.95, "#ffdcae"]) +
      downward("water", [0, "#20264f", 0.12], [1, "#141836", 0.8]) +
      glow("sun", [0, "#fff8e0"], [0.2, "#fff1c4"], [0.23, "#ffdca0", 0.6], [1, "#ffc890", 0]),
    `${land}<g transform="translate(0 ${shore * 2}) scale(1 -1)">${land}</g>` +
      `<rect y="${shore}" width="${width}" height="${height - shore}" fill="url(#water)"/>${ripples.join("")}`,
  );
}

function balloon(x: number, y: number, size: number, colours: readonly [string, string, string]): string {
  const [side, middle, stripe] = colours;
  return (
    `<g transform="translate(${x} ${y}) scale(${size})">` +
    `<path d="M-22 70 L-10 104 M22 70 L10 104" stroke="#5b4636" stroke-width="2"/>` +
    `<path d="M0 -80 C60 -80 78 -36 78 -6 C78 34 40 58 22 74 L-22 74 C-40 58 -78 34 -78 -6 C-78 -36 -60 -80 0 -80 Z" fill="${side}"/>` +
    `<path d="M0 -80 C30 -80 44 -40 44 -6 C44 34 22 58 12 74 L-12 74 C-22 58 -44 34 -44 -6 C-44 -40 -30 -80 0 -80 Z" fill="${middle}"/>` +
    `<path d="M0 -80 C10 -80 16 -40 16 -6 C16 34 8 58 4 74 L-4 74 C-8 58 -16 34 -16 -6 C-16 -40 -10 -80 0 -80 Z" fill="${stripe}"/>` +
    `<rect x="-12" y="102" width="24" height="18" rx="4" fill="#6d5240"/></g>`
  );
}

/** Three balloons above a sea of clouds. */
export function balloons(): Scene {
  const [width, height] = [1200, 900];
  const random = seededRandom(5);
  const shades = ["#ffffff", "#eaf3fa", "#cfe0ee"];
  const clouds = Array.from({ length: 90 }, (_, at) => {
    const depth = at / 90;
    return (
      `<ellipse cx="${(random() * 1400 - 100).toFixed(0)}" cy="${(630 + depth * 290).toFixed(0)}" rx="${(80 + random() * 120).toFixed(0)}" ` +
      `ry="${(22 + depth * 30).toFixed(0)}" fill="${shades[at % 3]}" opacity="${(0.35 + depth * 0.45).toFixed(2)}"/>`
    );
  });
  return scene(
    width,
    height,
    downward("sky", [0, "#2f8fd0"], [0.55, "#a9dcf2"], [0.8, "#fdf1de"]) + blur("soft", 7),
    `${sky(width, height)}<g filter="url(#soft)">${clouds.join("")}</g>` +
      balloon(380, 330, 2.1, ["#c8372d", "#e5574a", "#ffd166"]) +
      balloon(820, 240, 1.25, ["#1f6f8b", "#2a9d8f", "#e9f5db"]) +
      balloon(980, 520, 0.75, ["#6a3d8f", "#8e5bb5", "#f4c9de"]),
  );
}
