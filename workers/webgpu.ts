// Entry of the process of a webgpu engine. The engine thread that forks it: src/extractor/engines/webgpu-process.ts.
import { serveWebgpu } from '../src/extractor/engines/webgpu-serve.js'

serveWebgpu()
