// Owns compiling the binding of tfjs-node against the unpacked TensorFlow.
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { runCommand } from '../setup/command.mjs'

/** Where tfjs-node looks for its binding; Node's ABI for native code at version 8 is in every Node that runs Headstart. */
export const bindingPath = (folder) =>
  join(folder, 'node_modules/@tensorflow/tfjs-node/lib/napi-v8/tfjs_binding.node')

/** From the binding's folder to the libraries, so that the whole folder can be moved. */
const RPATH = '$ORIGIN/../../../../../python/tensorflow'
const REMEDY =
  'The build needs a C++17 compiler (Debian: g++; Fedora: gcc-c++), or CXX set to one; its messages stand above.'

/** One set for all threads, written without a lock: two engine threads would damage it. */
const SHARED_SET = 'static std::set<std::string> ATTR_NAME_SET;'
const OWN_SET = 'static thread_local std::set<std::string> ATTR_NAME_SET;'

/** @returns {Promise<string>} path of the source with a set for each thread. */
const writePatchedBackend = async (sources, folder) => {
  const source = await readFile(join(sources, 'tfjs_backend.cc'), 'utf8')
  if (source.split(SHARED_SET).length !== 2)
    throw new Error(`${sources}/tfjs_backend.cc is not that of tfjs-node 4.22.0`)
  const patched = join(folder, 'include/tfjs_backend.cc')
  await writeFile(patched, source.replace(SHARED_SET, OWN_SET))
  return patched
}

/**
 * @param {string} folder with packages, libraries and headers in place.
 * @returns {Promise<void>}
 */
export const compileBinding = async (folder) => {
  process.stderr.write('compiling the binding\n')
  const sources = join(folder, 'node_modules/@tensorflow/tfjs-node/binding')
  const binding = bindingPath(folder)
  const unfinished = `${binding}.new`
  await mkdir(dirname(binding), { recursive: true })
  const backend = await writePatchedBackend(sources, folder)
  const given = [
    ...['-std=c++17', '-O2', '-shared', '-fPIC', '-DNAPI_VERSION=8', '-w'],
    ...['-I', join(folder, 'include')],
    ...['-I', join(folder, 'node_modules/node-api-headers/include')],
    ...['-I', sources, backend, join(sources, 'tfjs_binding.cc')],
    ...['-L', join(folder, 'python/tensorflow'), `-Wl,-rpath,${RPATH}`],
    ...['-l:libtensorflow_cc.so.2', '-l:libtensorflow_framework.so.2'],
    ...['-o', unfinished],
  ]
  await runCommand(process.env.CXX ?? 'g++', given, { cwd: folder, remedy: REMEDY })
  await rename(unfinished, binding)
}
