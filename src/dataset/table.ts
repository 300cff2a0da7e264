// Owns the table source: a CSV or JSONL file whose rows name files beside or below it.
// Refuses paths that are absolute, that leave the table's folder, or that name no file.
import { realpath } from 'node:fs/promises'
import { dirname } from 'node:path'
import { assertNotAborted } from '../errors.js'
import { containedName, createResolver } from './contained-path.js'
import { eachBounded } from './each-bounded.js'
import type { FileEntry, FoundFiles } from './source.js'
import { readTable, type TableRequest } from './table-rows.js'

const PARALLEL_LOOKUPS = 16

const PROBLEMS = {
  missing: 'the file is missing',
  outside: 'the path leaves the folder of the table through a link',
  'no file': 'the path is no regular file',
} as const

/** The folder that the paths of a table are relative to, links resolved. */
export const tableRoot = (file: string): Promise<string> => realpath(dirname(file))

/**
 * Finds the files that a table names.
 *
 * @throws DATASET_INVALID with every fault of the table and its row.
 */
export const findInTable = async (request: Omit<TableRequest, 'withPath'>): Promise<FoundFiles> => {
  const { rows, faults, notes } = await readTable({ ...request, withPath: true })
  const resolve = createResolver(await tableRoot(request.file))
  const entries: (FileEntry | undefined)[] = new Array(rows.length)
  await eachBounded(rows, PARALLEL_LOOKUPS, async ({ row, path, label, split }, index) => {
    assertNotAborted(request.signal)
    const name = containedName(path)
    if (name === undefined) {
      faults.add(row, path === '' ? 'the path is empty' : `the path ${path} leaves the folder`)
      return
    }
    const resolved = await resolve(name)
    if ('problem' in resolved) faults.add(row, `${path}: ${PROBLEMS[resolved.problem]}`)
    else entries[index] = { name, path: resolved.path, label, split }
  })
  faults.assertNone()
  return { entries: entries.filter((entry) => entry !== undefined), notes }
}
