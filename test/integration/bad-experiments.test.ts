// Bad experiment files and requests through the command line: every fault at once, with its path.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { documentOf, type JsonFailure, runCli } from '../support/cli.js'
import { makeFolder } from '../support/folders.js'
import { failExperiment, failWith, makeSound } from './bad-input.js'
import { keysBelow, samplesKept, storeIn } from './state.js'

const layer = (className: string, config: object): object => ({ class_name: className, config })

/** A custom head for features of `width` values. */
const customHead = (width: number, units: number): object => ({
  kind: 'custom',
  epochs: 2,
  topology: layer('Sequential', {
    name: 'head',
    layers: [
      layer('Dense', {
        name: 'answers',
        units,
        activation: 'softmax',
        use_bias: true,
        batch_input_shape: [null, width],
        dtype: 'float32',
        trainable: true,
      }),
    ],
  }),
})

describe('an experiment file', () => {
  it('with many faults: all are said at once, each with its path', async () => {
    const cwd = await makeSound()
    const text = `{
      "base": { "cut": "pool", "poling": "avg" },
      "dataset": { "from": "images", "target": "ranking" },
      "heads": [{ "kind": "linear", "epochs": 1000000000 }, { "kind": "forest" }],
      "__proto__": { "engine": "wasm" },
      "engin": "wasm",
      "views": 0
    }`
    const failure = await failExperiment(cwd, text)
    expect(failure).toMatchObject({ code: 'REQUEST_INVALID', exitCode: 2 })
    for (const path of ['base.from', 'dataset.target', 'heads.0.epochs', 'heads.1', 'views'])
      expect(failure.details.some((detail) => detail.startsWith(path))).toBe(true)
    for (const key of ['poling', 'engin', '__proto__']) expect(failure.all).toContain(key)
    expect(await keysBelow(storeIn(cwd), '')).toEqual([])
  })

  it('without anything in it names what is missing', async () => {
    const failure = await failExperiment(await makeSound(), '{}')
    expect(failure.code).toBe('REQUEST_INVALID')
    for (const key of ['base', 'dataset', 'heads']) expect(failure.all).toContain(key)
  })

  it.each([
    ['[]', 'REQUEST_INVALID', /expected object/],
    ['null', 'REQUEST_INVALID', /expected object/],
    ['{"base": ', 'REQUEST_INVALID', /experiment\.json is not JSON/],
    ['', 'REQUEST_INVALID', /experiment\.json is not JSON/],
  ])('of %j', async (text, code, said) => {
    const failure = await failExperiment(await makeSound(), text)
    expect(failure).toMatchObject({ code, exitCode: 2 })
    expect(failure.all).toMatch(said)
  })

  it('that is not there, or is a folder', async () => {
    const cwd = await makeSound()
    for (const name of ['none.json', 'images']) {
      const failure = await failWith(cwd, ['run', name])
      expect(failure).toMatchObject({ code: 'INPUT_MISSING', exitCode: 2 })
      expect(failure.message).toContain(name)
    }
  })

  it('that nests __proto__ deeply does not change any object', async () => {
    const text = `{"heads": [{"kind": "linear", "__proto__": {"polluted": true}}]}`
    const failure = await failExperiment(await makeSound(), text)
    expect(failure.all).toMatch(/heads\.0.*__proto__/)
    expect('polluted' in {}).toBe(false)
  })
})

describe('a head', () => {
  it('whose input does not fit the features is refused with both shapes, before any is computed', async () => {
    const cwd = await makeSound()
    const failure = await failExperiment(cwd, { heads: [customHead(5, 3)] })
    expect(failure).toMatchObject({ code: 'HEAD_INVALID', exitCode: 2 })
    expect(failure.all).toContain('5')
    expect(failure.all).toContain('4')
    expect(await samplesKept(cwd)).toBe(0)
  })

  it('whose output does not fit the classes is refused', async () => {
    const failure = await failExperiment(await makeSound(), { heads: [customHead(4, 7)] })
    expect(failure).toMatchObject({ code: 'HEAD_INVALID', exitCode: 2 })
    expect(failure.all).toContain('7')
    expect(failure.all).toContain('3')
  })

  it('that diverges says so and publishes nothing', async () => {
    const head = { kind: 'linear', optimizer: 'sgd', learningRate: 100, l2: 100, epochs: 60 }
    const failure = await failExperiment(await makeSound(), { heads: [head] })
    expect(failure).toMatchObject({ code: 'HEAD_DIVERGED', exitCode: 1 })
  })
})

describe('the environment and the command line', () => {
  it.each([
    [['fly'], /unknown command 'fly'/],
    [['run', 'experiment.json', '--fast'], /unknown option '--fast'/],
    [['run'], /missing required argument/],
    [['extract', '--base', 'base'], /required option '--cut/],
    [['predict', 'run'], /missing required argument 'paths'/],
    [['train', '--head', 'forest'], /Allowed choices are linear, mlp/],
    [['runs'], /./],
  ])('%j is a wrong request', async (args, said) => {
    const cwd = await makeFolder()
    const json = await runCli([...args, '--json'], { cwd })
    expect(json.code).toBe(2)
    expect(json.stderr).toMatch(said)
    const { error } = documentOf<{ error: JsonFailure }>(json)
    expect(error.code).toBe('REQUEST_INVALID')
  })

  it.each([
    [{ HEADSTART_STORE: 'ftp://host/store' }, 'file:///'],
    [{ HEADSTART_STORE: 's3://key:secret@bucket' }, 'credentials'],
    [{ HEADSTART_CACHE_BYTES: 'many' }, 'HEADSTART_CACHE_BYTES'],
  ])('%j cannot be used', async (env, said) => {
    const result = await runCli(['runs', 'ls', '--json'], { cwd: await makeFolder(), env })
    expect(result.code).toBe(2)
    const { error } = documentOf<{ error: JsonFailure }>(result)
    expect(error.code).toBe('CONFIG_INVALID')
    expect([error.message, ...error.details].join()).toContain(said)
    expect(result.stderr).not.toContain('secret')
  })

  it.each([
    [['verify', 'x', '--samples', '0'], /samples/],
    [['verify', 'x', '--samples', '1.5'], /samples/],
    [['predict', 'x', 'y', '--top', '-1'], /top/],
  ])('%j names the option', async (args, said) => {
    const result = await runCli(args, { cwd: await makeFolder() })
    expect(result.code).toBe(2)
    expect(result.stderr).toMatch(said)
  })

  it('a run that nobody knows is NOT_FOUND', async () => {
    const cwd = await makeFolder()
    await writeFile(join(cwd, 'a.png'), '')
    for (const args of [
      ['predict', 'nobody', 'a.png'],
      ['verify', 'nobody'],
    ]) {
      const failure = await failWith(cwd, args)
      expect(failure).toMatchObject({ code: 'NOT_FOUND', exitCode: 2 })
      expect(failure.message).toContain('nobody')
    }
  })
})
