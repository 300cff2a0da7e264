// Owns the files of a SavedModel on the disk for as long as TensorFlow reads them: a folder that only
// this user may enter, gone when the model is loaded or has failed to load.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { SavedModelBase } from '../base/loaded-base.js'
import { assertSafePath } from '../base/model-json.js'

/**
 * Loading copies the variables and the content of assets into memory, so nothing is left to be read
 * afterwards; an engine thread may be ended at any time, and nobody would remove the folder then.
 *
 * @throws BASE_PATH_UNSAFE, and what `work` throws.
 */
export const withSavedModelFolder = async <T>(
  { files }: SavedModelBase,
  work: (folder: string) => Promise<T>,
): Promise<T> => {
  for (const path of files.keys()) assertSafePath(path)
  // mkdtemp makes it with mode 0700.
  const folder = await mkdtemp(join(tmpdir(), 'headstart-saved-model-'))
  try {
    for (const [path, bytes] of files) {
      await mkdir(dirname(join(folder, path)), { recursive: true })
      await writeFile(join(folder, path), bytes, { mode: 0o600 })
    }
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
