// Owns reading the bytes of certified shards: from a store's own files in place, from the local copies
// of a remote store, or from the store. Hands out no byte whose length and SHA-256 do not fit.
import { rm } from 'node:fs/promises'
import { isHeadstartError } from '../errors.js'
import { storeErrorOf } from '../store/file-errors.js'
import { stampOf, withObject } from '../store/file-pair.js'
import { folderExists, type ObjectPaths, pathsOf } from '../store/file-paths.js'
import { assertStoreKey } from '../store/key.js'
import { parseStoreUrl } from '../store/open.js'
import type { Store } from '../store/port.js'
import { sha256InBackground } from './background-hash.js'
import type { FeatureSetShard } from './feature-set.js'
import { corruptShard } from './shard-check.js'
import { type FileOutcome, fill, readShardFile, type ShardMemory } from './shard-file.js'

export interface VerifiedBytes {
  readonly bytes: Uint8Array
  /** Tells the local file from a changed one; null where there was no file. */
  readonly stamp: string | null
  /** Where the features, which went to memory of their own, lie in `bytes`; null: they are in `bytes`. */
  readonly placed: number | null
}

export interface ShardReader {
  /**
   * All bytes of a shard, its length and SHA-256 checked. A local copy that is damaged or missing is
   * fetched anew.
   *
   * @param memory takes the bytes of a file, and also those of one that turns out to be damaged.
   * @throws FEATURES_CORRUPT (details: the store key) when the store has other bytes, or none.
   */
  load(shard: FeatureSetShard, memory: ShardMemory): Promise<VerifiedBytes>
  /**
   * Fills `into` from `position` of a local file that was verified before.
   *
   * @returns false when the file is not the one of that stamp any more, or is gone.
   */
  reread(
    shard: FeatureSetShard,
    stamp: string,
    position: number,
    into: Uint8Array,
  ): Promise<boolean>
}

/** Where local files of shards lie. */
interface LocalFiles {
  readonly areCopies: boolean
  readonly root: string
  locate(shard: FeatureSetShard): Promise<ObjectPaths | null>
}

const storeFiles = (root: string): LocalFiles => ({
  areCopies: false,
  root,
  locate: async ({ key }) => {
    assertStoreKey(key)
    const paths = pathsOf(root, key)
    return (await folderExists(root, paths.folder)) ? paths : null
  },
})

/** The folder of store/disk-cache.ts, whose files are named by their SHA-256. */
const copies = (root: string): LocalFiles => ({
  areCopies: true,
  root,
  locate: async ({ sha256 }) => pathsOf(root, sha256),
})

const localFilesOf = (store: Store, cacheDir: string | undefined): LocalFiles | null => {
  const location = store.url.startsWith('file:') ? parseStoreUrl(store.url) : null
  if (location?.kind === 'file') return storeFiles(location.directory)
  return cacheDir === undefined ? null : copies(cacheDir)
}

const OTHER_BYTES = 'is not the one that its feature set names'

/** What the store says when it is asked for the object. */
const fetchShard = async (store: Store, shard: FeatureSetShard): Promise<VerifiedBytes> => {
  let bytes: Uint8Array | null
  try {
    bytes = await store.get(shard.key)
  } catch (error) {
    if (!isHeadstartError(error, 'STORE_CORRUPT')) throw error
    throw corruptShard(shard.key, 'does not have the bytes that were written', error)
  }
  if (bytes === null) throw corruptShard(shard.key, 'is missing')
  if (bytes.length !== shard.bytes || (await sha256InBackground(bytes)) !== shard.sha256)
    throw corruptShard(shard.key, OTHER_BYTES)
  return { bytes, stamp: null, placed: null }
}

const readLocal = async (
  { areCopies }: LocalFiles,
  paths: ObjectPaths | null,
  { bytes, sha256 }: FeatureSetShard,
  memory: ShardMemory,
): Promise<FileOutcome> => {
  if (paths === null) return { kind: 'missing' }
  return readShardFile({ paths, isCopy: areCopies, bytes, sha256 }, memory)
}

const verified = (
  { stamp, placed }: FileOutcome & { readonly kind: 'read' },
  { bytes }: FeatureSetShard,
  { buffer }: ShardMemory,
): VerifiedBytes => ({ bytes: buffer.subarray(0, bytes), stamp, placed })

/** @param cacheDir where the store behind `withDiskCache` keeps its copies; not used for a file store. */
export const createShardReader = (store: Store, cacheDir?: string): ShardReader => {
  const files = localFilesOf(store, cacheDir)

  /** Copies are a convenience: whatever is wrong with one, the store answers. */
  const loadCopy = async (
    from: LocalFiles,
    shard: FeatureSetShard,
    memory: ShardMemory,
  ): Promise<VerifiedBytes> => {
    const paths = await from.locate(shard)
    const damaged: FileOutcome = { kind: 'damaged' }
    const found = await readLocal(from, paths, shard, memory).catch(() => damaged)
    if (found.kind === 'read') return verified(found, shard, memory)
    if (found.kind === 'damaged' && paths !== null)
      await rm(paths.object, { force: true }).catch(() => {})
    return fetchShard(store, shard)
  }

  const loadInPlace = async (
    from: LocalFiles,
    shard: FeatureSetShard,
    memory: ShardMemory,
  ): Promise<VerifiedBytes> => {
    try {
      const found = await readLocal(from, await from.locate(shard), shard, memory)
      if (found.kind === 'read') return verified(found, shard, memory)
      throw corruptShard(shard.key, found.kind === 'missing' ? 'is missing' : OTHER_BYTES)
    } catch (error) {
      const failure = storeErrorOf(error, from.root, shard.key)
      if (!isHeadstartError(failure, 'STORE_CORRUPT')) throw failure
      throw corruptShard(shard.key, 'does not have the bytes that were written', failure)
    }
  }

  return {
    load: (shard, memory) => {
      if (files === null) return fetchShard(store, shard)
      const load = files.areCopies ? loadCopy : loadInPlace
      return load(files, shard, memory)
    },
    reread: async (shard, stamp, position, into) => {
      const paths = (await files?.locate(shard)) ?? null
      if (paths === null) return false
      const read = withObject(
        paths,
        async (handle) =>
          (await stampOf(handle))?.stamp === stamp && (await fill(handle, into, position)),
      )
      // What cannot be read any more is loaded and checked anew, and that says what is wrong.
      return (await read.catch(() => false)) ?? false
    },
  }
}
