// Experiment files: topologies that they name are put in, whichever way the heads are written.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadExperimentFile } from '../../src/experiment/load-file.js'
import { planSweep } from '../../src/experiment/sweep/plan-sweep.js'
import { makeFolder } from '../support/folders.js'

const TOPOLOGY = { class_name: 'Sequential', config: { name: 'head', layers: [] } }
let folder: string

beforeAll(async () => {
  folder = await makeFolder()
  await writeFile(join(folder, 'model.json'), JSON.stringify({ modelTopology: TOPOLOGY }))
  await writeFile(join(folder, 'bare.json'), JSON.stringify({ ...TOPOLOGY, bare: true }))
})

const topologiesOf = async (heads: unknown): Promise<unknown[]> => {
  const file = join(folder, 'experiment.json')
  const experiment = { base: { from: 'b', cut: 'c' }, dataset: { from: 'd' }, heads }
  await writeFile(file, JSON.stringify(experiment))
  const loaded = await loadExperimentFile(file)
  return planSweep(loaded.experiment).candidates.map(
    ({ head }) => 'topology' in head && head.topology,
  )
}

describe('a topology in an experiment file', () => {
  it.each([
    [[{ kind: 'custom', topology: 'model.json' }], [TOPOLOGY]],
    [{ grid: { kind: 'custom', topology: 'model.json' } }, [TOPOLOGY]],
    [
      { grid: { kind: ['custom'], topology: ['model.json', 'bare.json', TOPOLOGY] } },
      [TOPOLOGY, { ...TOPOLOGY, bare: true }],
    ],
    [
      { grid: [{ kind: 'linear' }, { kind: 'custom', topology: './bare.json' }] },
      [false, { ...TOPOLOGY, bare: true }],
    ],
    [{ random: { kind: 'custom', topology: ['model.json'] }, count: 1 }, [TOPOLOGY]],
  ])('may be a path: %j', async (heads, topologies) => {
    expect(await topologiesOf(heads)).toEqual(topologies)
  })

  it('that is not there is named', async () => {
    const heads = { grid: { kind: 'custom', topology: ['none.json'] } }
    await expect(topologiesOf(heads)).rejects.toMatchObject({ code: 'INPUT_MISSING' })
    await expect(topologiesOf(heads)).rejects.toThrow('none.json')
  })
})
