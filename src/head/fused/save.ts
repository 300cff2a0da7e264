// Owns when the state of trainings is saved: often enough that a kill costs seconds, seldom enough that
// saving costs a twentieth of the time. A training is worth more than its checkpoint and goes on without.
import { HeadstartError, messageOf } from '../../errors.js'
import type { Checkpoint } from '../checkpoint.js'
import { decodeState, encodeState, type State } from './state.js'

const SAVE_EVERY_MS = 2000
/** A save is followed by so many times the time that it took. */
const TIMES_ITS_COST = 20

export interface Saver {
  load(): Promise<State | null>
  /** Saves if it is time to. Failing to is a notice. */
  saveWhenDue(state: () => State): Promise<void>
  /** Saves the last state of a training that was long enough to be saved before. */
  saveLast(state: () => State): Promise<void>
  /** @throws INTERRUPTED, with what is lost, where the state cannot be saved. */
  saveInterrupted(state: () => State): Promise<void>
}

/** @param fingerprint of the request; it is asked for only where there is a checkpoint. */
export const createSaver = (
  checkpoint: Checkpoint | undefined,
  fingerprint: () => string,
  onNotice: ((message: string) => void) | undefined,
): Saver | null => {
  if (checkpoint === undefined) return null
  const identity = fingerprint()
  let savedAt = performance.now()
  let cost = 0
  let hasSaved = false
  let noticed = false

  const save = async (state: () => State): Promise<void> => {
    const begin = performance.now()
    try {
      await checkpoint.save(encodeState(identity, state()))
      hasSaved = true
    } finally {
      savedAt = performance.now()
      cost = savedAt - begin
    }
  }

  const trySave = async (state: () => State): Promise<void> => {
    try {
      await save(state)
    } catch (error) {
      if (noticed) return
      noticed = true
      onNotice?.(
        `the training goes on, but an interruption would lose it: its state cannot be saved (${messageOf(error)})`,
      )
    }
  }

  return {
    load: async () => {
      const bytes = await checkpoint.load()
      const state = bytes === null ? null : decodeState(bytes, identity)
      hasSaved = state !== null
      return state
    },
    saveWhenDue: async (state) => {
      const wait = Math.max(SAVE_EVERY_MS, TIMES_ITS_COST * cost)
      if (performance.now() - savedAt >= wait) await trySave(state)
    },
    saveLast: async (state) => {
      if (hasSaved) await trySave(state)
    },
    saveInterrupted: async (state) => {
      try {
        await save(state)
      } catch (cause) {
        const message = `interrupted; what was trained since the last save is lost, its state could not be saved: ${messageOf(cause)}`
        throw new HeadstartError('INTERRUPTED', message, { cause })
      }
    },
  }
}
