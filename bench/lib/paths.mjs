// Owns where the benchmarks keep what they make once: everything lies in .cache of the repository.
import { join } from 'node:path'

const CACHE = join(import.meta.dirname, '../../.cache')

/** Bases and images of the benchmarks. */
export const BENCH_CACHE = join(CACHE, 'bench')
/** Virtual environment of the Python peers. */
export const PEER_FOLDER = join(CACHE, 'peers')
export const PEER_PYTHON = join(PEER_FOLDER, 'bin/python')
