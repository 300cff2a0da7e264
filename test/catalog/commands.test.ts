// The commands over the catalog: what they print for people and for programs, and exit codes.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Command } from 'commander'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { addBasesCommand } from '../../src/cli/commands/bases.js'
import { addDatasetsCommand } from '../../src/cli/commands/datasets.js'
import { addDoctorCommand } from '../../src/cli/commands/doctor.js'
import { addFeaturesCommand } from '../../src/cli/commands/features.js'
import { addGcCommand } from '../../src/cli/commands/gc.js'
import { addRunsCommand } from '../../src/cli/commands/runs.js'
import type { ExperimentResult } from '../../src/experiment/result.js'
import { shortId } from '../../src/identity/hash.js'
import { failureOf, type Installation, install, nameBase, nameDataset, runTiny } from './support.js'

afterEach(() => {
  vi.restoreAllMocks()
  process.exitCode = undefined
})

/** Runs one command line in this process; returns what it wrote to stdout. */
const headstart = async (args: readonly string[], storeUrl: string): Promise<string> => {
  const program = new Command('headstart').exitOverride()
  for (const add of [
    addRunsCommand,
    addDatasetsCommand,
    addBasesCommand,
    addFeaturesCommand,
    addGcCommand,
    addDoctorCommand,
  ])
    add(program)
  let stdout = ''
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    stdout += String(chunk)
    return true
  })
  try {
    await program.parseAsync([...args, '--store', storeUrl], { from: 'user' })
  } finally {
    write.mockRestore()
  }
  return stdout
}

describe('the commands over a filled store', () => {
  let place: Installation
  let result: ExperimentResult
  const cli = (...args: string[]): Promise<string> => headstart(args, place.store.url)
  beforeAll(async () => {
    place = await install()
    await nameBase(place, 'tiny')
    await nameDataset(place, 'colours')
    result = await runTiny(place, { name: 'first' })
    process.chdir(place.folder)
  })

  it('print short ids that can be pasted back', async () => {
    const short = /^([0-9a-f]{12})\s+first\s/m.exec(await cli('runs', 'ls'))?.[1] ?? ''
    expect(short).toBe(shortId(result.best))
    const shown = JSON.parse(await cli('runs', 'show', short, '--json'))
    expect(shown).toMatchObject({ run: { runId: result.best }, names: ['first'] })
  })

  it('print one JSON document for each list', async () => {
    for (const command of ['runs', 'datasets', 'bases', 'features']) {
      const listed = JSON.parse(await cli(command, 'ls', '--json'))
      expect(listed).toMatchObject({ [command]: [{}], damaged: [] })
    }
  })

  it('draw every list and every object', async () => {
    const { featureSet } = result
    expect(await cli('datasets', 'ls')).toMatch(/colours\s+images\s+single\s+3\s+24/)
    expect(await cli('bases', 'ls')).toMatch(/tiny\s+layers-model\s+128\s+\[8, 8, 3\]\s+3/)
    expect(await cli('features', 'ls')).toMatch(/pool\s+wasm\s+0\s+\[4\]\s+24\s+0\s+1/)
    const run = await cli('runs', 'show', 'first')
    expect(run).toMatch(/parity\s+bitwise on 24 samples/)
    expect(run).toMatch(/class \(test\)\s+precision/)
    expect(await cli('datasets', 'show', 'colours')).toMatch(/red\s+\d/)
    expect(await cli('bases', 'show', 'tiny')).toMatch(/weights\.bin\s+512 B/)
    expect(await cli('features', 'show', shortId(featureSet.id))).toMatch(/cut\s+pool, pooling/)
  })

  it('refuse to remove what is needed', async () => {
    const error = await failureOf(cli('bases', 'rm', 'tiny'))
    expect(error.code).toBe('IN_USE')
    expect(error.details).toContain(`the run ${shortId(result.best)} predicts with it`)
  })

  it('say what gc would remove, and refuse a negative grace period', async () => {
    const report = JSON.parse(await cli('gc', '--dry-run', '--json', '--grace-hours', '0'))
    expect(report).toMatchObject({ dryRun: true, graceMs: 0, total: { objects: 0, bytes: 0 } })
    expect(await cli('gc', '--dry-run')).toContain('would be removed')
    const error = await failureOf(cli('gc', '--grace-hours', '-1'))
    expect(error.code).toBe('REQUEST_INVALID')
  })

  it('remove a run, after which its base and data can go', async () => {
    const text = await cli('runs', 'rm', 'first')
    expect(text).toContain(`removed the run ${shortId(result.best)}`)
    expect(text).toContain('names freed: first')
    expect(await cli('runs', 'ls')).toBe('no runs yet\n')
    const removal = JSON.parse(await cli('datasets', 'rm', 'colours', '--json'))
    expect(removal).toMatchObject({ kind: 'dataset', names: ['colours'] })
  })

  it('end doctor with 0 where nothing failed and with 1 where something did', async () => {
    const good = await cli('doctor')
    expect(good).toContain('Nothing failed.')
    expect(process.exitCode).toBe(0)
    // A file where the store keeps its drafts: nothing can be written.
    const broken = join(place.folder, 'broken')
    await mkdir(broken)
    await writeFile(join(broken, '.tmp'), '')
    const bad = JSON.parse(await headstart(['doctor', '--json'], pathToFileURL(broken).href))
    expect(bad.healthy).toBe(false)
    expect(process.exitCode).toBe(1)
  })
})
