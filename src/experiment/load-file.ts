// Owns reading an experiment file from disk, with the topologies of custom heads that it names.
import { readFile, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { HeadstartError, messageOf } from '../errors.js'
import { type Experiment, parseExperiment } from './schema.js'

const MAX_FILE_BYTES = 16 * 2 ** 20

const readJson = async (path: string): Promise<unknown> => {
  let text: string
  try {
    if ((await stat(path)).size > MAX_FILE_BYTES)
      throw new Error(`more than ${MAX_FILE_BYTES} bytes`)
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw new HeadstartError('INPUT_MISSING', `cannot read ${path}: ${messageOf(error)}`, {
      cause: error,
    })
  }
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch (error) {
    throw new HeadstartError('REQUEST_INVALID', `${path} is not JSON: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const readTopology = async (path: string, folder: string): Promise<unknown> => {
  const json = await readJson(resolve(folder, path))
  return isObject(json) ? (json.modelTopology ?? json) : json
}

/** In a file, `topology` may be the path of a model.json or of a bare topology; in a grid a list of them. */
const inlineTopology = async (head: unknown, folder: string): Promise<unknown> => {
  if (!isObject(head)) return head
  const { topology } = head
  const inline = (value: unknown): unknown =>
    typeof value === 'string' ? readTopology(value, folder) : value
  if (typeof topology === 'string') return { ...head, topology: await inline(topology) }
  if (!Array.isArray(topology)) return head
  const distinct = new Map(topology.map((value: unknown) => [value, inline(value)]))
  return {
    ...head,
    topology: await Promise.all(topology.map((value: unknown) => distinct.get(value))),
  }
}

/** The heads of a file with all topologies in them, whichever way they are written. */
const inlineTopologies = async (heads: unknown, folder: string): Promise<unknown> => {
  if (Array.isArray(heads)) return Promise.all(heads.map((head) => inlineTopology(head, folder)))
  if (!isObject(heads)) return heads
  const { grid, random } = heads
  if (grid !== undefined)
    return {
      ...heads,
      grid: Array.isArray(grid)
        ? await inlineTopologies(grid, folder)
        : await inlineTopology(grid, folder),
    }
  return random === undefined ? heads : { ...heads, random: await inlineTopology(random, folder) }
}

export interface LoadedExperiment {
  readonly experiment: Experiment
  /** Relative paths in the experiment start here. */
  readonly folder: string
}

/** @throws INPUT_MISSING, REQUEST_INVALID. */
export const loadExperimentFile = async (path: string): Promise<LoadedExperiment> => {
  const folder = dirname(resolve(path))
  const json = await readJson(path)
  const input =
    isObject(json) && 'heads' in json
      ? { ...json, heads: await inlineTopologies(json.heads, folder) }
      : json
  return { experiment: parseExperiment(input), folder }
}
