// A checkpoint in memory that counts how often it was saved.
import type { Checkpoint } from '../../src/head/checkpoint.js'

export const memoryCheckpoint = (): Checkpoint & { bytes: Uint8Array | null; saves: number } => ({
  bytes: null,
  saves: 0,
  async load() {
    return this.bytes
  },
  async save(bytes) {
    this.bytes = bytes
    this.saves += 1
  },
  async clear() {
    this.bytes = null
  },
})
