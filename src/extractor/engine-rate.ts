// Owns the short timing of an engine on the probe network, all cores or the whole device busy.
import type { LoadedBase } from './base/loaded-base.js'
import type { EngineSettings } from './engine-settings.js'
import { createEnginePool } from './engines/pool.js'
import { batchSizeOf, FIXED_BATCH } from './fixed-batch.js'
import { PROBE_CUT, PROBE_SIZE } from './probe-base.js'
import { probeInputSpec } from './probe-inputs.js'
import type { EngineName } from './spec.js'

const LEAST_MS = 500

/**
 * Images a second through the probe network, from pixels in memory to features, after a warm-up.
 *
 * @param base the probe network, in the form that the engine takes.
 * @throws the errors of an engine that does not run.
 */
export const measureEngineRate = async (
  engine: EngineName,
  base: LoadedBase,
  settings: EngineSettings,
): Promise<number> => {
  const input = probeInputSpec([PROBE_SIZE, PROBE_SIZE, 3])
  const fixedBatch = FIXED_BATCH[engine]
  const pool = createEnginePool({
    ...{ base, engine, settings, fixedBatch, input },
    precision: 'fp32',
    cut: PROBE_CUT,
    pooling: 'none',
  })
  const count = batchSizeOf(engine, fixedBatch, pool.usesGpu)
  const batch = async (): Promise<void> => {
    await pool.forward({ data: new Uint8Array(count * PROBE_SIZE * PROBE_SIZE * 3), count })
  }
  const lanes = Array.from({ length: pool.threads * 2 })
  try {
    await Promise.all(lanes.map(batch))
    const started = performance.now()
    let done = 0
    await Promise.all(
      lanes.map(async () => {
        while (performance.now() - started < LEAST_MS) {
          await batch()
          done += count
        }
      }),
    )
    return (done * 1000) / (performance.now() - started)
  } finally {
    await pool.close()
  }
}
