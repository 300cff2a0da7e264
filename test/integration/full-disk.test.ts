// A store that cannot be written: a full disk, a limit on file sizes, missing permissions.
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { createFileStore } from '../../src/store/file.js'
import {
  CLI_FILE,
  type CliResult,
  documentOf,
  runCli,
  runFailing,
  runJson,
  startProcess,
} from '../support/cli.js'
import { writeDenseBase, writeDenseDataset } from '../support/dense-base.js'
import { makeFolder } from '../support/folders.js'
import { keysBelow, readEverything, samplesKept } from './state.js'

const ROWS = 8192

let inputs: string

const inputArguments = (): string[] => [
  ...['--base', join(inputs, 'base'), '--cut', 'features'],
  ...['--dataset', join(inputs, 'rows.npy'), '--labels', join(inputs, 'labels.csv')],
]

beforeAll(async () => {
  inputs = await makeFolder()
  await writeDenseBase(join(inputs, 'base'))
  await writeDenseDataset(inputs, ROWS)
})

/** Bytes on the disk of everything before extraction, and of the features. */
const measure = async (): Promise<{ before: number; features: number }> => {
  const cwd = await makeFolder()
  await runJson(['extract', ...inputArguments()], { cwd })
  const store = createFileStore(join(cwd, '.headstart/store'))
  // Each object has a sidecar, and files take whole pages.
  const sizeOf = async (prefix: string) => {
    let bytes = 0
    for await (const object of store.list(prefix))
      bytes += Math.ceil(object.bytes / 4096 + 1) * 4096
    return bytes
  }
  const features = await sizeOf('features/')
  return { before: (await sizeOf('')) - features, features }
}

/**
 * A mount namespace of its own, so that a small file system can be mounted by root and, where user
 * namespaces are allowed, by anybody; it vanishes with its processes.
 */
const SCRIPT = `
set -u
mount -t tmpfs -o size="$1" tmpfs "$2" || exit 99
shift; folder="$1"; shift; larger="$1"; shift
"$@" >"$folder.1" 2>"$folder.err"; echo "first $?"
cp -r "$folder" "$folder.copy"
mount -o remount,size="$larger" "$folder"
"$@" >"$folder.2" 2>>"$folder.err"; echo "second $?"
`

describe('a disk that is full', () => {
  it('ends extraction with STORE_FULL, breaks nothing, and a second call goes on', async () => {
    const { before, features } = await measure()
    const cwd = await makeFolder()
    const disk = join(cwd, 'disk')
    await mkdir(disk)
    // What is written durably lies under a temporary name first, so half of the features fit.
    const size = before + Math.round(features / 2)
    const command = [
      process.execPath,
      ...[CLI_FILE, 'extract', ...inputArguments(), '--store', `file://${disk}/.headstart/store`],
      '--json',
    ]
    const limits = [String(size), disk, String(4 * (before + features))]
    const flags = process.getuid?.() === 0 ? ['-m'] : ['-r', '-m']
    const result = await startProcess(
      'unshare',
      [...flags, 'sh', '-c', SCRIPT, 'sh', ...limits, ...command],
      { cwd },
    ).finished
    expect(result.stdout, `mounts must be allowed here: ${result.stderr}`).toContain('first')
    expect(result.stdout).toBe('first 1\nsecond 0\n')

    const read = async (name: string): Promise<CliResult> => {
      return { code: null, signal: null, stdout: await readFile(name, 'utf8'), stderr: '' }
    }
    const { error } = documentOf<{ error: { code: string; message: string; remedy: string } }>(
      await read(`${disk}.1`),
    )
    expect(error.code).toBe('STORE_FULL')
    expect(error.message).toContain(disk)
    expect(error.remedy).toContain('run the command again')

    // As the full disk was left: every object is whole, and no feature set claims to be complete.
    await readEverything(`${disk}.copy`)
    const kept = await samplesKept(`${disk}.copy`)
    expect(kept).toBeGreaterThan(0)
    expect(kept).toBeLessThan(ROWS)
    const left = createFileStore(join(`${disk}.copy`, '.headstart/store'))
    expect(await keysBelow(left, 'feature-sets/')).toEqual([])

    const { featureSets } = documentOf<{ featureSets: object[] }>(await read(`${disk}.2`))
    expect(featureSets).toMatchObject([{ computed: ROWS - kept, reused: kept }])
  })

  it('for files of some size only is no defect of the software, and a second call goes on', async () => {
    const cwd = await makeFolder()
    await runJson(['base', 'add', join(inputs, 'base')], { cwd })
    const add = ['dataset', 'add', join(inputs, 'rows.npy'), '--name', 'rows']
    await runJson([...add, '--labels', join(inputs, 'labels.csv')], { cwd })
    const extract = ['extract', '--base', join(inputs, 'base'), '--cut', 'features']
    const command = [CLI_FILE, ...extract, '--dataset', 'rows', '--json']
    // Node ignores SIGXFSZ, so that a write over the limit fails with EFBIG.
    const limited = await startProcess('prlimit', ['--fsize=50000', process.execPath, ...command], {
      cwd,
    }).finished
    expect(limited.code).toBe(1)
    expect(documentOf(limited)).toMatchObject({ error: { code: 'STORE_UNAVAILABLE' } })
    expect(limited.stderr).toContain('EFBIG')
    await readEverything(cwd)
    const kept = await samplesKept(cwd)
    const { featureSets } = await runJson<{ featureSets: object[] }>(
      [...extract, '--dataset', 'rows'],
      { cwd },
    )
    expect(featureSets).toMatchObject([{ computed: ROWS - kept }])
  })
})

describe('a store folder that is not writable', () => {
  it('is STORE_UNAVAILABLE when permissions are missing', async () => {
    const cwd = await makeFolder()
    await mkdir(join(cwd, 'closed'))
    await writeDenseBase(join(cwd, 'base'))
    await chmod(join(cwd, 'closed'), 0o555)
    const store = ['--store', `file://${cwd}/closed/store`]
    const failure = await runFailing(['base', 'add', join(cwd, 'base'), ...store], {
      cwd,
      permissions: true,
    })
    expect(failure).toMatchObject({ code: 'STORE_UNAVAILABLE', exitCode: 1 })
    expect(failure.message).toContain(`${cwd}/closed/store`)
    expect(failure.message).toContain('not writable')
  })

  it('is STORE_UNAVAILABLE when a file lies where the folder should be', async () => {
    const cwd = await makeFolder()
    await writeFile(join(cwd, 'file'), 'no folder')
    for (const place of ['file', 'file/store']) {
      const store = ['--store', `file://${cwd}/${place}`]
      const failure = await runFailing(['base', 'add', join(inputs, 'base'), ...store], { cwd })
      expect(failure).toMatchObject({ code: 'STORE_UNAVAILABLE', exitCode: 1 })
      expect(failure.message).toContain(`${cwd}/${place}`)
    }
  })

  it('does not matter for the working directory when the store lies elsewhere', async () => {
    const cwd = await makeFolder()
    const elsewhere = await makeFolder()
    await writeDenseBase(join(cwd, 'base'))
    await writeDenseDataset(cwd, 64)
    await chmod(cwd, 0o555)
    const args = ['train', '--base', 'base', '--cut', 'features', '--dataset', 'rows.npy']
    const rest = ['--labels', 'labels.csv', '--epochs', '2', '--store', `file://${elsewhere}/store`]
    const { runs } = await runJson<{ runs: object[] }>([...args, ...rest], {
      cwd,
      permissions: true,
    })
    expect(runs).toMatchObject([{ trained: true }])
  })

  it('hinders no reading', async () => {
    const cwd = await makeFolder()
    const { code } = await runCli(['runs', 'ls', '--store', `file://${cwd}/none`, '--json'], {
      cwd,
    })
    expect(code).toBe(0)
  })
})
