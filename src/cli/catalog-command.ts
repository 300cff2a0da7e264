// Owns the shape of `headstart <kind> ls|show|rm`: one command group a kind, the same options and
// the same wording for each.
import type { Command } from 'commander'
import type { Damaged } from '../catalog/documents.js'
import type { Listing } from '../catalog/list.js'
import type { Removal } from '../catalog/remove.js'
import { shortId } from '../identity/hash.js'
import type { Store } from '../store/port.js'
import { type CommonOptions, type Report, runCommand } from './context.js'
import { addCommonOptions } from './options.js'
import { bytes } from './tables.js'

/** What `rm` of this kind takes; `--force` only where something can need the object. */
export interface RemoveCommand {
  readonly canForce: boolean
  readonly remove: (
    store: Store,
    reference: string,
    options: { readonly force: boolean },
  ) => Promise<Removal>
}

export interface CatalogCommand<Item, Shown> {
  /** e.g. `runs`: the command and the member of the JSON document of `ls`. */
  readonly command: string
  /** e.g. `run`. */
  readonly noun: string
  readonly description: string
  /** What a reference can be, for help. */
  readonly reference: string
  /** For the examples of help. */
  readonly example: string
  /** @param options what `listOptions` added, as commander gives it. */
  readonly list: (
    store: Store,
    options: Readonly<Record<string, unknown>>,
  ) => Promise<Listing<Item>>
  /** Adds the options and examples that only this kind's `ls` has. */
  readonly listOptions?: (ls: Command) => Command
  /** Draws at least one item. */
  readonly drawList: (items: readonly Item[]) => string
  readonly show: (store: Store, reference: string) => Promise<Shown>
  readonly drawShown: (shown: Shown) => string
  readonly rm: RemoveCommand
  /** Adds the commands that only this kind has. */
  readonly more?: (group: Command) => void
}

/** Options of every `ls`: they narrow nothing. */
const COMMON: ReadonlySet<string> = new Set(['json', 'store', 'arrow'])

const describeDamage = (damaged: readonly Damaged[]): string[] =>
  damaged.length === 0
    ? []
    : ['', 'Cannot be read:', ...damaged.map(({ key, problem }) => `  ${key}: ${problem}`)]

export const describeRemoval = (noun: string, removal: Removal): string => {
  const { id, names, objects } = removal
  const freed = names.length === 0 ? '' : `, names freed: ${names.join(', ')}`
  return `removed the ${noun} ${shortId(id)} (${objects} objects, ${bytes(removal.bytes)})${freed}`
}

/** Names, or a dash. */
export const joinNames = (names: readonly string[]): string =>
  names.length === 0 ? '-' : names.join(', ')

/** Short ids, the first ten of them. */
export const joinIds = (ids: readonly string[]): string => {
  if (ids.length === 0) return '-'
  const more = ids.length > 10 ? ` and ${ids.length - 10} more` : ''
  return `${ids.slice(0, 10).map(shortId).join(', ')}${more}`
}

export const shapeText = (shape: readonly (number | null)[]): string =>
  `[${shape.map((size) => size ?? '?').join(', ')}]`

export const addCatalogCommand = <Item, Shown>(
  program: Command,
  kind: CatalogCommand<Item, Shown>,
): void => {
  const { command, noun, example, rm } = kind
  const group = program.command(command).description(kind.description)

  const ls = addCommonOptions(group.command('ls').description(`list all ${command}`))
  const listed = kind.listOptions?.(ls) ?? ls
  listed
    .addHelpText(
      'after',
      `\nExamples:\n  headstart ${command} ls\n  headstart ${command} ls --json | jq '.${command} | length'`,
    )
    .action((options: CommonOptions) =>
      runCommand(options, async ({ workspace }): Promise<Report> => {
        const { items, damaged } = await kind.list(workspace.store, { ...options })
        const isNarrowed = Object.keys(options).some((name) => !COMMON.has(name))
        const none = isNarrowed ? 'match' : 'yet'
        const drawn = items.length === 0 ? `no ${command} ${none}` : kind.drawList(items)
        const text = [drawn, ...describeDamage(damaged)].join('\n')
        return { json: { [command]: items, damaged }, text }
      }),
    )

  addCommonOptions(
    group.command('show').description(`show one ${noun}`).argument(`<${noun}>`, kind.reference),
  )
    .addHelpText('after', `\nExample:\n  headstart ${command} show ${example}`)
    .action((reference: string, options: CommonOptions) =>
      runCommand(options, async ({ workspace }): Promise<Report> => {
        const shown = await kind.show(workspace.store, reference)
        return { json: shown, text: kind.drawShown(shown) }
      }),
    )

  const remove = addCommonOptions(
    group
      .command('rm')
      .description(`remove one ${noun} and the names that point to it`)
      .argument(`<${noun}>`, kind.reference),
  ).addHelpText('after', `\nExample:\n  headstart ${command} rm ${example}`)
  if (rm.canForce) remove.option('--force', 'remove it although something needs it')
  remove.action((reference: string, options: CommonOptions & { force?: boolean }) =>
    runCommand(options, async ({ workspace }): Promise<Report> => {
      const { force = false } = options
      const removal = await rm.remove(workspace.store, reference, { force })
      return { json: removal, text: describeRemoval(noun, removal) }
    }),
  )
  kind.more?.(group)
}
