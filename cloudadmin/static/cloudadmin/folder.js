// A folder, dropped or chosen: what is wrong with it, and it as one archive; the browser reads its
// files when they are sent.
const folder = (() => {
  const BLOCK = 512;
  const encoder = new TextEncoder();

  // https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13_06
  const header = (name, bytes, type) => {
    const block = new Uint8Array(BLOCK);
    const put = (text, at) => block.set(encoder.encode(text), at);
    const octal = (number, digits) => number.toString(8).padStart(digits, "0");
    block.set(encoder.encode(name).subarray(0, 100), 0);
    put("0000644\0", 100);
    put("0000000\0", 108);
    put("0000000\0", 116);
    put(octal(bytes, 11), 124);
    put(octal(0, 11), 136);
    put("        ", 148);
    put(type, 156);
    put("ustar\u000000", 257);
    put(`${octal(block.reduce((sum, byte) => sum + byte, 0), 6)}\0 `, 148);
    return block;
  };
  const padding = (bytes) => new Uint8Array((BLOCK - (bytes % BLOCK)) % BLOCK);

  // A record says its own length: the digits of it count too.
  const longName = (path) => {
    const rest = encoder.encode(` path=${path}\n`).length;
    let length = rest;
    while (String(length).length + rest !== length) length = String(length).length + rest;
    const record = encoder.encode(`${length} path=${path}\n`);
    return [header("long-name", record.length, "x"), record, padding(record.length)];
  };

  const read = async (entry, found) => {
    if (entry.isFile) {
      const file = await new Promise((done, fail) => entry.file(done, fail));
      found.push({ path: entry.fullPath.replace(/^\//, ""), file });
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((done, fail) => reader.readEntries(done, fail));
      if (!some.length) return;
      for (const each of some) await read(each, found);
    }
  };

  const size = (bytes) => {
    if (bytes < 1e3) return `${bytes} byte${bytes === 1 ? "" : "s"}`;
    const unit = bytes < 1e6 ? "kilobyte" : bytes < 1e9 ? "megabyte" : "gigabyte";
    const amount = bytes / { kilobyte: 1e3, megabyte: 1e6, gigabyte: 1e9 }[unit];
    return amount.toLocaleString("en", { style: "unit", unit, maximumFractionDigits: 1 });
  };
  const count = (files) => `${files.toLocaleString("en")} file${files === 1 ? "" : "s"}`;
  const bytesOf = (entries) => entries.reduce((sum, { file }) => sum + file.size, 0);
  const nameOf = ([{ path }, ...others]) =>
    path.includes("/") ? path.split("/")[0] : others.length ? "files" : path;
  const PAGE = /\.html?$/i;

  return {
    size,
    unreadable: "A file in it cannot be read. Look at its rights, or pack the folder as a zip.",

    // Why it cannot be published, or nothing.
    problem(entries, { mostFiles = Infinity, mostBytes = Infinity } = {}) {
      const bytes = bytesOf(entries);
      if (!entries.length) return "There are no files in it. Choose the folder that the build wrote.";
      if (entries.length > mostFiles) return `${count(entries.length)}: at most ${count(Number(mostFiles))} can be published. Split the site in two.`;
      if (bytes > mostBytes) return `${size(bytes)}: at most ${size(Number(mostBytes))} can be published. Split the site.`;
      if (entries.some(({ path }) => path.split("/").includes(".git")))
        return "There is a .git folder in it, which would be public. Choose the folder that the build wrote, such as dist or public.";
      return "";
    },

    // Of what was dropped: one file, and no folder.
    isFile: (files, [item]) => files.length === 1 && !item?.webkitGetAsEntry?.()?.isDirectory,

    // A page alone is a site of one file, which is packed as others are.
    isPage: (files) => files.length === 1 && PAGE.test(files[0].name),

    told: (entries) => `${nameOf(entries)}: ${count(entries.length)}, ${size(bytesOf(entries))}`,

    // Of what was dropped; to be called at once, for after a pause the browser forgets it.
    async dropped(items) {
      const entries = [...items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
      const found = [];
      for (const entry of entries) await read(entry, found);
      return found;
    },

    chosen: (files) => [...files].map((file) => ({ path: file.webkitRelativePath || file.name, file })),

    // A tar archive under the name of the folder.
    packed(entries) {
      const parts = [];
      for (const { path, file } of entries) {
        if (encoder.encode(path).length > 100) parts.push(...longName(path));
        parts.push(header(path, file.size, "0"), file, padding(file.size));
      }
      parts.push(new Uint8Array(2 * BLOCK));
      return new File(parts, `${nameOf(entries)}.tar`, { type: "application/x-tar" });
    },
  };
})();
