/** Certificates for tests, made by openssl. */

/** Files in PEM format. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface Authority extends Disposable {
  /** Its own certificate. */
  readonly ca: string;
  /** Issues a certificate. @param names such as `DNS:istiod.test` or `IP:127.0.0.1` */
  issue(name: string, names: readonly string[]): Certificate;
}

/** Makes a certificate authority with a directory of its own. */
export function createAuthority(): Authority {
  const directory = Deno.makeTempDirSync({ prefix: "weft-test-ca-" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const ca = `${directory}/ca.pem`;
  openssl([
    "req",
    "-x509",
    ...key,
    "-keyout",
    `${directory}/ca.key`,
    "-out",
    ca,
    "-days",
    "2",
    "-subj",
    "/CN=ca",
  ]);
  let serial = 0;
  return {
    ca,
    issue: (name, names) => {
      const base = `${directory}/${name}-${++serial}`;
      openssl(["req", ...key, "-keyout", `${base}.key`, "-out", `${base}.csr`, "-subj", `/CN=${name}`]);
      Deno.writeTextFileSync(`${base}.ext`, `subjectAltName=${names.join(",")}\n`);
      openssl([
        ...["x509", "-req", "-in", `${base}.csr`, "-out", `${base}.pem`, "-days", "2"],
        ...["-CA", ca, "-CAkey", `${directory}/ca.key`, "-CAcreateserial", "-extfile", `${base}.ext`],
      ]);
      return { cert: `${base}.pem`, key: `${base}.key` };
    },
    [Symbol.dispose]: () => Deno.removeSync(directory, { recursive: true }),
  };
}

function openssl(args: readonly string[]): void {
  const { success, stderr } = new Deno.Command("openssl", { args: [...args], stdin: "null" }).outputSync();
  if (!success) throw new Error(`openssl ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}
