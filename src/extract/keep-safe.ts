// Owns not losing rows: what an unfinished shard has is written now and then as a shard of its own.
// The next extraction copies its rows, so a killed process costs a minute of computing, not a shard.
import { HeadstartError, messageOf } from '../errors.js'
import { type CertifyTarget, commit } from './certify.js'
import type { ShardBuilder } from './shard-builder.js'

/** Rows of an unfinished shard are written this often. */
const SAVE_INTERVAL_MS = 30_000

interface Saved {
  readonly atMs: number
  /** Computed rows at that time. */
  readonly computed: number
  /** The part that was written, when it was this process that wrote it. */
  readonly storeKey: string | null
}

export interface SafeKeeper {
  begin(builder: ShardBuilder): void
  /** Writes the rows of a builder if the last time is long enough ago. */
  saveNowAndThen(builder: ShardBuilder): Promise<void>
  /** Everything that can be settled was committed under this key: earlier parts are superseded. */
  finish(builder: ShardBuilder, storeKey: string | null): Promise<void>
  /** Writes what every unfinished shard has. @returns `error`, with what could not be kept. */
  rescue(error: unknown): Promise<unknown>
}

/** Looks after the unfinished shards of one extraction. */
export const createSafeKeeper = (
  target: CertifyTarget,
  saveIntervalMs: number = SAVE_INTERVAL_MS,
): SafeKeeper => {
  const saved = new Map<ShardBuilder, Saved>()
  const saving = new Set<ShardBuilder>()

  const removePart = async (part: Saved | undefined, except: string | null): Promise<void> => {
    if (part?.storeKey && part.storeKey !== except) await target.store.delete(part.storeKey)
  }

  const save = async (builder: ShardBuilder): Promise<void> => {
    const before = saved.get(builder)
    if (builder.computed === (before?.computed ?? 0)) return
    const { computed } = builder
    const part = await commit(target, builder)
    const storeKey = part?.isNew ? part.key : null
    if (!saved.has(builder)) {
      // The shard was finished while this part of it was being written.
      if (storeKey !== null) await target.store.delete(storeKey)
      return
    }
    saved.set(builder, { atMs: performance.now(), computed, storeKey })
    // The new part holds every row of the one before it.
    await removePart(before, storeKey)
  }

  return {
    begin: (builder) => {
      saved.set(builder, { atMs: performance.now(), computed: 0, storeKey: null })
    },
    saveNowAndThen: async (builder) => {
      const last = saved.get(builder)
      const isDue = last !== undefined && performance.now() - last.atMs >= saveIntervalMs
      if (!isDue || saving.has(builder)) return
      saving.add(builder)
      try {
        await save(builder)
      } finally {
        saving.delete(builder)
      }
    },
    finish: async (builder, storeKey) => {
      const last = saved.get(builder)
      saved.delete(builder)
      if (storeKey !== null) await removePart(last, storeKey)
    },
    rescue: async (error) => {
      const lost: string[] = []
      for (const builder of saved.keys()) {
        try {
          await save(builder)
        } catch (failure) {
          lost.push(`rows of an unfinished shard could not be kept: ${messageOf(failure)}`)
        }
      }
      if (lost.length === 0 || !(error instanceof HeadstartError)) return error
      const details = [...error.details, ...lost]
      return new HeadstartError(error.code, error.message, { cause: error, details })
    },
  }
}
