import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { InMemoryCertificateKeyPairProvider, OPCUASecureObject } from 'node-opcua'
import { BridgeError, messageOf } from '../../core/error.ts'

/** Our certificate as an application: long, since nobody is there to renew it, days. */
const validDays = 3_650

/** Our own certificate with its key. */
export interface Identity {
  /** DER. */
  readonly certificate: Buffer
  readonly key: KeyObject
  /** The URI in the certificate; a server compares it with what we say. */
  readonly applicationUri: string
  readonly own: OPCUASecureObject
}

const files = (folder: string) => ({
  certificate: join(folder, 'certificate.pem'),
  key: join(folder, 'key.pem'),
})

/** One making at a time: links of one process may share a folder. */
const making = new Map<string, Promise<void>>()

/** Reads our certificate and key from the folder; makes them at first use. Rejects with SECRET_MISSING. */
export const identityIn = async (folder: string): Promise<Identity> => {
  const { certificate, key } = files(folder)
  try {
    const made = making.get(folder) ?? make(folder)
    making.set(folder, made)
    await made.finally(() => making.delete(folder))
    return identityOf(await readFile(certificate), await readFile(key))
  } catch (error) {
    throw new BridgeError(
      'SECRET_MISSING',
      `our OPC UA certificate in ${folder} (certificate.pem, key.pem) can't be read or made: ${messageOf(error)}`,
      { cause: error },
    )
  }
}

/** A certificate and its key, both PEM. Throws when they can't be read. */
export const identityOf = (certificatePem: Buffer, keyPem: Buffer): Identity => {
  const certificate = new X509Certificate(certificatePem)
  const key = createPrivateKey(keyPem)
  if (!certificate.checkPrivateKey(key)) throw new Error('the key does not belong to the certificate')
  const provider = new InMemoryCertificateKeyPairProvider([certificate.raw], { hidden: key })
  return {
    certificate: certificate.raw,
    key,
    applicationUri: /URI:([^,\s]+)/.exec(certificate.subjectAltName ?? '')?.[1] ?? 'urn:duress-bridge',
    own: new OPCUASecureObject({ certificateKeyPairProvider: provider }),
  }
}

const make = async (folder: string): Promise<void> => {
  const { certificate, key } = files(folder)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  if (await isThere(certificate)) return
  const host = hostname()
  const provider = new InMemoryCertificateKeyPairProvider()
  await provider.ensureCertificateExists({
    applicationUri: `urn:${host}:duress-bridge`,
    subject: `/CN=duress-bridge/O=duress-bridge/DC=${host}`,
    dns: [host],
    validity: validDays,
  })
  await writeFile(key, pemOfKey(provider.getPrivateKey()), { mode: 0o600 })
  // The certificate comes last, and whole: where it is, the key is.
  await writeFile(`${certificate}.new`, pemOf(provider.getCertificate()))
  await rename(`${certificate}.new`, certificate)
}

const isThere = (path: string): Promise<boolean> =>
  readFile(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false
      throw error
    },
  )

/** DER as PEM. */
export const pemOf = (der: Buffer): string => new X509Certificate(der).toString()

const pemOfKey = ({ hidden }: { hidden: unknown }): string =>
  typeof hidden === 'string'
    ? hidden
    : (hidden as KeyObject).export({ type: 'pkcs8', format: 'pem' }).toString()
