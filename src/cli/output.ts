// Owns writing to stdout, and what happens when nobody reads stdout or stderr any more.
import { constants } from 'node:os'
import { messageOf } from '../errors.js'
import { EXIT_CODES } from './exit-codes.js'

/** What SIGPIPE, which Node ignores, would have made of it. */
const CLOSED_PIPE_EXIT_CODE = 128 + constants.signals.SIGPIPE

/**
 * Ends the process quietly when a pipe was closed (`headstart ... | head`): nobody wants the rest.
 * Work that was published stays; the same command goes on from there.
 */
export const endOnClosedPipe = (): void => {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(CLOSED_PIPE_EXIT_CODE)
      // Writing about stderr to stderr would fail again.
      if (stream === process.stdout)
        process.stderr.write(`cannot write to stdout: ${messageOf(error)}\n`)
      process.exit(EXIT_CODES.failed)
    })
}

/** Writes text and waits until the reader keeps up. */
export const writeOut = async (text: string): Promise<void> => {
  if (process.stdout.write(text)) return
  // An error ends the process. Another listener for it is one too many beside those of engine threads,
  // and Node would warn of a leak.
  await new Promise<void>((resolve) => process.stdout.once('drain', resolve))
}
