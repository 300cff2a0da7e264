// Owns what an answer to a request for a range must say before it is believed. A proxy or cache on
// the way can shorten a body together with its length, which no HTTP client notices. Knows no SDK.

/**
 * The answer says which bytes it holds; an object that ends earlier makes it shorter. A server that
 * ignores ranges answers without saying so.
 *
 * @param contentRange e.g. `bytes 0-99/1000`.
 * @throws when the body is anything else than the range that was asked for.
 */
export const assertWholeRange = (
  contentRange: string | undefined,
  asked: { readonly start: number; readonly length: number },
  bytes: number,
): void => {
  const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(contentRange ?? '') ?? []
  const end = asked.start + asked.length
  // An unknown total ('*') is no number: then the range must have come as asked.
  const expected = Math.min(end, Number(total) || end) - asked.start
  const isWhole =
    Number(first) === asked.start && Number(last) === asked.start + bytes - 1 && bytes === expected
  if (!isWhole)
    throw new Error(`${bytes} bytes arrived as range '${contentRange ?? ''}' of ${asked.length}`)
}
