import { describe, expect, it } from 'vitest'
import { baseRecordKey, loadBase, loadBaseRecord } from '../../src/extractor/base/load.js'
import { sha256 } from '../../src/identity/hash.js'
import { createFileStore } from '../../src/store/file.js'
import { makeFolder } from '../support/folders.js'

describe('the record of a base', () => {
  it.each([
    ['of another release', '{"version":2}'],
    ['that is no JSON', 'text'],
  ])('%s is STORE_CORRUPT, not a defect of this software', async (_, text) => {
    const store = createFileStore(await makeFolder())
    const baseId = sha256('a base')
    await store.putIfAbsent(baseRecordKey(baseId), Buffer.from(text))
    for (const load of [loadBaseRecord, loadBase])
      await expect(load(store, baseId)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  })
})
