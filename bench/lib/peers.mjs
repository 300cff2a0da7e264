// Owns the peers of one comparison: Headstart first, because others compute the graph that it compiled.
import { availableParallelism } from 'node:os'
import { startPeer } from './peer-process.mjs'

/** The first peer: what the others are compared with. */
export const OURS = 'headstart'

/** Architectures are equal when their kernels have as many values. */
const assertSameArchitecture = (opened) => {
  const kernels = new Map([...opened].map(([name, { kernels }]) => [name, kernels]))
  const counts = new Set([...kernels.values()].filter((count) => count !== undefined))
  if (counts.size > 1)
    throw new Error(`not the same architecture: ${JSON.stringify([...kernels])} values in kernels`)
}

/**
 * Starts and opens the peers, gives them to `work`, and ends them.
 *
 * @param {{ names: string[], model: string, device: string, engine: string,
 *   onRefusal?: (name: string, error: Error) => void }} request `onRefusal`: goes on without a peer
 *   that cannot do this; default: the error is thrown.
 * @param work gets `peers` (a Map from name to peer) and `opened` (name to what it said).
 */
export const withPeers = async ({ names, model, device, engine, onRefusal }, work) => {
  const peers = new Map()
  const opened = new Map()
  try {
    for (const name of [OURS, ...names]) {
      const peer = startPeer(name, device)
      peers.set(name, peer)
      const { graph = null, cut = null } = opened.get(OURS) ?? {}
      const threads = availableParallelism()
      try {
        opened.set(name, await peer.ask({ do: 'open', model, device, threads, engine, graph, cut }))
      } catch (error) {
        if (onRefusal === undefined || name === OURS) throw error
        onRefusal(name, error)
        peers.delete(name)
        await peer.close()
      }
    }
    assertSameArchitecture(opened)
    return await work({ peers, opened })
  } finally {
    for (const peer of peers.values()) await peer.close()
  }
}

/** Versions by name, for tables. */
export const versionsOf = (opened) =>
  Object.fromEntries([...opened].map(([name, { version }]) => [name, version]))
