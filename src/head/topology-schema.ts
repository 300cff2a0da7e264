// Owns what may stand as the topology of a custom head in a spec: plain JSON of bounded size and depth.
// Whether it is a model that fits is seen where it is built.
import { z } from 'zod'
import type { JsonValue } from '../identity/canonical-json.js'

const MAX_TOPOLOGY_BYTES = 8 * 2 ** 20
const MAX_TOPOLOGY_DEPTH = 64

const isScalar = (value: unknown): boolean =>
  value === null || ['string', 'boolean'].includes(typeof value) || Number.isFinite(value)

/** Why a value is no JSON that can be kept, or null. Iterative: hostile nesting costs no stack. */
const topologyFault = (topology: unknown): string | null => {
  let level: unknown[] = [topology]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > MAX_TOPOLOGY_DEPTH) return `nests deeper than ${MAX_TOPOLOGY_DEPTH}`
    const next: unknown[] = []
    for (const value of level) {
      if (value !== null && typeof value === 'object') {
        for (const child of Object.values(value)) next.push(child)
      } else if (!isScalar(value)) return 'holds a value that is not JSON'
    }
    level = next
  }
  const bytes = Buffer.byteLength(JSON.stringify(topology))
  return bytes > MAX_TOPOLOGY_BYTES ? `has ${bytes} bytes, more than ${MAX_TOPOLOGY_BYTES}` : null
}

export const topologySchema = z
  .record(z.string(), z.unknown())
  .describe('`modelTopology` of a TF.js LayersModel; its weights are drawn anew.')
  .superRefine((value, context) => {
    const fault = topologyFault(value)
    if (fault !== null) context.addIssue({ code: 'custom', message: `the topology ${fault}` })
  }) as unknown as z.ZodType<{ readonly [key: string]: JsonValue }>
