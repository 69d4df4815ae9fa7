import "reflect-metadata";
import type { webcrypto } from "node:crypto";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";

/*
 * Certificates made in the test: an authority, and what it signs for servers and clients. Node's own crypto makes none.
 */

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DAY_MS = 86_400_000;

export interface Certified {
  /** PEM, as the files hold them. */
  readonly cert: string;
  readonly key: string;
  readonly certFile: string;
  readonly keyFile: string;
}

export interface Authority extends Certified {
  /** For names and addresses of a server, or for the name of a client. Valid for a day, or until `expires`. */
  issue(names: readonly string[], expires?: Date): Promise<Certified>;
}

let serial = 0;
const nextSerial = () => (++serial).toString(16).padStart(4, "0");

/** An authority of its own, which nobody trusts by default. Its files are left to the system's temporary folder. */
export async function makeAuthority(name: string): Promise<Authority> {
  const folder = await mkdtemp(join(tmpdir(), "mesh-certificates-"));
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: nextSerial(),
    name: `CN=${name}`,
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  });
  const issue = async (names: readonly string[], expires = new Date(Date.now() + DAY_MS)) => {
    const own = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: nextSerial(),
      subject: `CN=${names[0]}`,
      issuer: ca.subject,
      notBefore: new Date(Date.now() - 2 * DAY_MS),
      notAfter: expires,
      signingAlgorithm: ALGORITHM,
      publicKey: own.publicKey,
      signingKey: keys.privateKey,
      extensions: [
        new x509.ExtendedKeyUsageExtension([
          x509.ExtendedKeyUsage.serverAuth,
          x509.ExtendedKeyUsage.clientAuth,
        ]),
        new x509.SubjectAlternativeNameExtension(
          names.map((value) => ({ type: /^[\d.]+$/.test(value) ? "ip" : "dns", value })),
        ),
      ],
    });
    return await write(folder, certificate, own.privateKey);
  };
  return { ...(await write(folder, ca, keys.privateKey)), issue };
}

async function write(
  folder: string,
  certificate: x509.X509Certificate,
  privateKey: webcrypto.CryptoKey,
): Promise<Certified> {
  const cert = certificate.toString("pem");
  const der = await crypto.subtle.exportKey("pkcs8", privateKey);
  const key = x509.PemConverter.encode(der, "PRIVATE KEY");
  const stem = join(folder, certificate.serialNumber);
  const files = { certFile: `${stem}.pem`, keyFile: `${stem}.key` };
  await writeFile(files.certFile, cert);
  await writeFile(files.keyFile, key, { mode: 0o600 });
  return { cert, key, ...files };
}
