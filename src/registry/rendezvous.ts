/** Mixes a 32-bit word so that each bit of it changes half of the answer's. */
function mixed(word: number, first: number, second: number): number {
  let value = Math.imul(word ^ (word >>> 16), first);
  value = Math.imul(value ^ (value >>> 13), second);
  return (value ^ (value >>> 16)) >>> 0;
}

/** A number in (0, 1) made of a text: the same for the same text, and evenly spread over all. Two words of 32 bits, of which 53 are kept. */
export function fractionOf(text: string): number {
  let high = 0x9e3779b9;
  let low = 0x7f4a7c15;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    high = Math.imul(high ^ unit, 0x85ebca77) ^ (high >>> 15);
    low = Math.imul(low + unit, 0xc2b2ae3d) ^ (low >>> 13);
  }
  const a = mixed(high ^ Math.imul(low, 0x27d4eb2f), 0x7feb352d, 0x846ca68b);
  const b = mixed(low ^ Math.imul(a, 0x165667b1), 0x2c1b3c6d, 0x297a2d39);
  return (a * 2 ** 21 + (b >>> 11) + 0.5) / 2 ** 53;
}

/**
 * Rendezvous hashing: each name draws a lot for the key, and the order of the lots is the answer. A name that is added
 * or removed changes nothing about the order of the others.
 * @param weightOf how large a part of all keys a name should come first for; those of 0 come last
 */
export function byRendezvous(
  names: readonly string[],
  key: string,
  weightOf: (name: string) => number = () => 1,
): string[] {
  return names
    .map((name) => ({ name, lot: -Math.log(fractionOf(`${name}\n${key}`)) / weightOf(name) }))
    .toSorted((a, b) => a.lot - b.lot || (a.name < b.name ? -1 : 1))
    .map(({ name }) => name);
}
