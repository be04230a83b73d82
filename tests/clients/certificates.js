// A CA for the tests, made with the openssl command.
import { execFile } from "node:child_process";
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const openssl = (...args) => promisify(execFile)("openssl", args);
const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

export class Authority {
  // One that was made there.
  static at(folder, name) {
    return Object.assign(new Authority(), { folder, file: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) });
  }

  static async make(folder, name) {
    const authority = Authority.at(folder, name);
    await openssl(
      "req", "-x509", ...newKey, "-days", "30", "-subj", `/CN=${name}`,
      "-keyout", authority.key, "-out", authority.file,
    );
    return authority;
  }

  // FILE.pem and FILE.key, in place of those that were there; valid for so many days from now, none if it is negative.
  async issue(file, { names = "DNS:localhost,IP:127.0.0.1", days = 20, subject = file } = {}) {
    const at = (ending) => join(this.folder, file + ending);
    await openssl("req", "-new", ...newKey, "-subj", `/CN=${subject}`, "-keyout", at(".key.new"), "-out", at(".csr"));
    await writeFile(at(".ext"), `subjectAltName=${names}\n`);
    await openssl(
      "x509", "-req", "-in", at(".csr"), "-CA", this.file, "-CAkey", this.key, "-CAcreateserial",
      "-days", `${days}`, "-extfile", at(".ext"), "-out", at(".pem.new"),
    );
    await rename(at(".key.new"), at(".key"));
    await rename(at(".pem.new"), at(".pem"));
    return ["--tls-cert", at(".pem"), "--tls-key", at(".key")];
  }
}
