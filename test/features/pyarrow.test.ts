import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { encodeShard } from '../../src/features/arrow.js'
import type { Shard } from '../../src/features/shard.js'
import { canonicalJson, type JsonValue } from '../../src/identity/canonical-json.js'
import { makeFolder } from '../support/folders.js'
import { runPython } from '../support/python.js'
import { makeShard, sampleKeys } from '../support/shards.js'

// Reads as the documentation tells users to: a memory map, no copy, numpy.
const READ = `
import json, sys
import numpy as np
import pyarrow as pa

with pa.memory_map(sys.argv[1]) as source:
    table = pa.ipc.open_file(source).read_all()
table.validate(full=True)
features = table.column("features").combine_chunks()
width = features.type.list_size
values = features.flatten().to_numpy(zero_copy_only=True).reshape(-1, width)
values.astype("<f4").tofile(sys.argv[2])
metadata = json.loads(table.schema.metadata[b"headstart"])
print(json.dumps({
    "schema": [[f.name, str(f.type), f.nullable] for f in table.schema],
    "keys": [key.hex() for key in table.column("key").to_pylist()],
    "nulls": table.column("key").null_count + table.column("features").null_count,
    "shape": list(values.shape),
    "dtype": str(values.dtype),
    "metadata": metadata,
    "text": table.schema.metadata[b"headstart"].decode(),
}))
`

interface Seen {
  readonly schema: readonly (readonly [string, string, boolean])[]
  readonly keys: readonly string[]
  readonly nulls: number
  readonly shape: readonly number[]
  readonly dtype: string
  readonly metadata: unknown
  readonly text: string
}

const readWithPyarrow = async (shard: Shard): Promise<Seen & { bytes: Buffer }> => {
  const folder = await makeFolder()
  const [file, features] = [join(folder, 'shard.arrow'), join(folder, 'features.f32')]
  await writeFile(file, encodeShard(shard))
  const seen = JSON.parse(runPython(READ, [file, features])) as Seen
  return { ...seen, bytes: await readFile(features) }
}

describe('pyarrow', () => {
  it('opens a shard and finds keys, exact features and metadata', async () => {
    const quarantine = [{ key: sampleKeys(1, 5000)[0] ?? '', reason: 'the file is empty' }]
    const shard = makeShard({ keys: sampleKeys(300), width: 37, quarantine })
    const seen = await readWithPyarrow(shard)
    expect(seen.schema).toEqual([
      ['key', 'fixed_size_binary[32]', false],
      ['features', 'fixed_size_list<item: float not null>[37]', false],
    ])
    expect(seen.keys).toEqual(shard.keys)
    expect([seen.nulls, seen.dtype, seen.shape]).toEqual([0, 'float32', [300, 37]])
    expect(Buffer.compare(seen.bytes, Buffer.from(shard.values.buffer))).toBe(0)
    expect(seen.metadata).toEqual(shard.metadata)
    expect(seen.text).toBe(canonicalJson(shard.metadata as JsonValue))
  })

  it('opens a shard of quarantined samples only', async () => {
    const quarantine = sampleKeys(3).map((key) => ({ key, reason: 'damaged' }))
    const seen = await readWithPyarrow(makeShard({ keys: [], width: 2, quarantine }))
    expect(seen.keys).toEqual([])
    expect(seen.metadata).toMatchObject({ quarantine })
  })
})
