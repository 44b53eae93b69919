/**
 * What is left of a value after a journey over HTTP: members that are `undefined` are gone, dates are texts.
 * @throws {TypeError} for what JSON cannot carry
 */
export function asJson(value: unknown): unknown {
  const text: string | undefined = JSON.stringify(value);
  return text === undefined ? undefined : JSON.parse(text);
}
