// Owns the parse of a GraphModel's topology: untrusted JSON to nodes in an order in which each comes
// after what it reads. Refuses cycles, missing inputs and double names; attributes are parsed where
// they are read.
import { z } from 'zod'
import { HeadstartError } from '../../../errors.js'

/** The largest Keras applications have about 2,000 nodes. */
const MAX_NODES = 200_000

const nodeSchema = z.object({
  // A colon would make it read as an output of another node.
  name: z.string().regex(/^[^:^][^:]*$/),
  op: z.string(),
  input: z.array(z.string()).nullish(),
  attr: z.record(z.string(), z.unknown()).nullish(),
})
const topologySchema = z.object({ node: z.array(nodeSchema).min(1) })
const signatureSchema = z.object({
  inputs: z.record(z.string(), z.object({ name: z.string() })).nullish(),
  outputs: z.record(z.string(), z.object({ name: z.string() })).nullish(),
})

/** One output of a node. */
export interface Source {
  readonly node: string
  readonly output: number
}

export interface GraphNode {
  readonly name: string
  readonly op: string
  /** Without control inputs: they order side effects and carry no values. */
  readonly inputs: readonly Source[]
  readonly attributes: Readonly<Record<string, unknown>>
}

export interface Topology {
  readonly nodes: readonly GraphNode[]
  /** Names of nodes, chosen as TF.js chooses them. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
}

const invalid = (message: string): HeadstartError => new HeadstartError('BASE_INVALID', message)

/** `name`, `name:output` or `name:output name:output`, as TF.js reads it. */
const parseSource = (text: string): Source => {
  const parts = text.split(':')
  return { node: parts[0] ?? '', output: parts.length === 1 ? 0 : Number(parts.at(-1)) }
}

const nodeNameOf = (text: string): string =>
  parseSource(text.startsWith('^') ? text.slice(1) : text).node

type RawNode = z.infer<typeof nodeSchema>

const appendTo = <K, V>(lists: Map<K, V[]>, key: K, value: V): void => {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}

/** Who reads each node, control inputs included; once for each input. */
const readersOf = (nodes: ReadonlyMap<string, RawNode>): Map<string, RawNode[]> => {
  const readers = new Map<string, RawNode[]>()
  for (const node of nodes.values())
    for (const input of node.input ?? []) {
      const name = nodeNameOf(input)
      if (!nodes.has(name))
        throw invalid(`the node ${node.name} reads ${input}, which the graph does not have`)
      appendTo(readers, name, node)
    }
  return readers
}

/** Kahn's algorithm: linear in nodes and inputs, whatever the depth. */
const sortNodes = (nodes: ReadonlyMap<string, RawNode>): RawNode[] => {
  const readers = readersOf(nodes)
  const waiting = new Map([...nodes.values()].map((node) => [node, node.input?.length ?? 0]))
  const sorted = [...nodes.values()].filter((node) => waiting.get(node) === 0)
  for (const { name } of sorted)
    for (const reader of readers.get(name) ?? []) {
      const left = (waiting.get(reader) ?? 0) - 1
      waiting.set(reader, left)
      if (left === 0) sorted.push(reader)
    }
  if (sorted.length < nodes.size) {
    const stuck = [...waiting].find(([, left]) => left > 0)?.[0].name
    throw invalid(`the graph has a cycle; ${stuck} depends on it`)
  }
  return sorted
}

const namesOf = (entries: Record<string, { name: string }> | null | undefined): string[] =>
  Object.values(entries ?? {}).map(({ name }) => nodeNameOf(name))

const parse = <T>(schema: z.ZodType<T>, value: unknown, what: string): T => {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw new HeadstartError('BASE_INVALID', `${what} is not that of a GraphModel`, {
    details: result.error.issues
      .slice(0, 20)
      .map(({ path, message }) => `${path.join('.')}: ${message}`),
  })
}

/**
 * @throws BASE_INVALID; BASE_TOO_LARGE for more nodes than any network has.
 */
export const parseTopology = (topology: unknown, signature: unknown): Topology => {
  const count = (topology as { node?: { length?: unknown } } | null | undefined)?.node?.length
  if (typeof count === 'number' && count > MAX_NODES)
    throw new HeadstartError(
      'BASE_TOO_LARGE',
      `the base has ${count} nodes; the limit is ${MAX_NODES}`,
    )
  const { node: list } = parse(topologySchema, topology, 'the topology')
  const declared = parse(signatureSchema.nullish(), signature, 'the signature')
  const nodes = new Map(list.map((node) => [node.name, node]))
  if (nodes.size < list.length) throw invalid('two nodes of the graph have the same name')
  const sorted = sortNodes(nodes)

  const read = new Set(list.flatMap(({ input }) => (input ?? []).map(nodeNameOf)))
  const inputs = namesOf(declared?.inputs)
  const outputs = namesOf(declared?.outputs)
  const inGraph = (name: string): boolean => nodes.has(name)
  return {
    nodes: sorted.map(({ name, op, input, attr }) => ({
      name,
      op,
      inputs: (input ?? []).filter((text) => !text.startsWith('^')).map(parseSource),
      attributes: attr ?? {},
    })),
    inputs:
      inputs.length > 0
        ? inputs.filter(inGraph)
        : list.filter(({ op }) => op.startsWith('Placeholder')).map(({ name }) => name),
    outputs:
      outputs.length > 0
        ? outputs.filter(inGraph)
        : list.filter(({ name }) => !read.has(name)).map(({ name }) => name),
  }
}
