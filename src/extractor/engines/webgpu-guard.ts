// Owns what keeps TF.js on WebGPU honest: an error of the GPU becomes an error of the forward pass, the
// same kernels compute every batch, and nothing is read in a way that Node does not have.
import { HeadstartError, messageOf } from '../../errors.js'

interface TensorInfo {
  readonly shape: number[]
  readonly dtype: string
}

/** The part of TF.js's WebGPU backend that is guarded; some of it is internal there. */
export interface WebgpuBackend {
  readonly device: {
    readonly lost: Promise<{ readonly reason: string; readonly message: string }>
    addEventListener(
      type: 'uncapturederror',
      listener: (event: {
        readonly error: { readonly message: string }
        preventDefault(): void
      }) => void,
    ): void
  }
  readonly tensorMap: { get(dataId: object): { readonly values?: unknown } }
  read(dataId: object): Promise<unknown>
  readSync(dataId: object): unknown
  shouldExecuteOnCPU(inputs: TensorInfo[], sizeThreshold?: number): boolean
}

const firstLine = (text: string): string => text.split('\n', 1)[0] ?? text

/**
 * WebGPU reports its errors beside the computation, which goes on with zeros or with what an older
 * batch left in the buffer. After the first error nothing that is read can be trusted.
 */
const guardReads = (backend: WebgpuBackend): void => {
  let fault: string | null = null
  backend.device.addEventListener('uncapturederror', (event) => {
    event.preventDefault()
    fault ??= firstLine(event.error.message)
  })
  void backend.device.lost.then(({ reason, message }) => {
    fault ??= `the device was lost (${reason}) ${firstLine(message)}`.trim()
  })
  const assertSound = (): void => {
    if (fault !== null) throw new HeadstartError('ENGINE_FAILED', `WebGPU failed: ${fault}`)
  }
  const read = backend.read.bind(backend)
  backend.read = async (dataId) => {
    try {
      const values = await read(dataId)
      assertSound()
      return values
    } catch (error) {
      assertSound()
      throw new HeadstartError(
        'ENGINE_FAILED',
        `WebGPU failed: ${messageOf(error) || 'the data could not be read'}`,
        { cause: error },
      )
    }
  }
}

/** Reading at once needs a canvas, which Node has not. Values that are still in memory are given. */
const guardSynchronousReads = (backend: WebgpuBackend): void => {
  const readSync = backend.readSync.bind(backend)
  backend.readSync = (dataId) => {
    if (backend.tensorMap.get(dataId).values == null)
      throw new HeadstartError(
        'BASE_LAYER_UNKNOWN',
        'the base needs a computed value before it goes on, which the engine webgpu cannot give; use another engine',
      )
    return readSync(dataId)
  }
}

/**
 * TF.js computes small tensors in JavaScript until they are on the GPU, where later batches find the
 * weights: the first batch could have other bits. Integers (shapes, axes) are exact in both.
 */
const guardPlacement = (backend: WebgpuBackend): void => {
  const shouldExecuteOnCPU = backend.shouldExecuteOnCPU.bind(backend)
  backend.shouldExecuteOnCPU = (inputs, sizeThreshold) =>
    inputs.every(({ dtype }) => dtype !== 'float32') && shouldExecuteOnCPU(inputs, sizeThreshold)
}

/** Call it once for a backend, before it computes anything. */
export const guardWebgpuBackend = (backend: WebgpuBackend): void => {
  guardReads(backend)
  guardSynchronousReads(backend)
  guardPlacement(backend)
}
