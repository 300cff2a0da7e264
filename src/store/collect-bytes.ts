// Owns joining a stream of bytes into one array.

/** All bytes of a body, in an array of their own. */
export const collectBytes = async (body: AsyncIterable<Uint8Array>): Promise<Uint8Array> => {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body) {
    chunks.push(chunk)
    length += chunk.length
  }
  const joined = new Uint8Array(length)
  let filled = 0
  for (const chunk of chunks) {
    joined.set(chunk, filled)
    filled += chunk.length
  }
  return joined
}
