// An archive on its way: dropped or chosen, with what was sent of it, an end to it, and its reasons.
// Without this script the same form is sent as any other.
(() => {
  const REASONS = {
    0: "The connection broke. Look whether cloudadmin answers, and deploy again: the archive is still chosen.",
    403: "You are logged out, or may not deploy to this site. Log in in another tab, then deploy again: the archive is still chosen.",
    413: "The server in front of cloudadmin takes no file as large as this. Raise its limit, or use manage.py deploy_site.",
  };

  class Upload {
    constructor(form) {
      this.form = form;
      this.fields = form.querySelector(".fields-sent");
      this.sending = form.querySelector(".sending");
      this.problems = form.querySelector(".problems");
      this.file = form.querySelector("[type=file]");
      form.addEventListener("submit", (event) => this.start(event));
      form.querySelector("[data-cancel]").addEventListener("click", (event) => this.cancel(event));
      this.folder = form.querySelector("[webkitdirectory]");
      this.file.addEventListener("change", () => this.pick(this.file.files));
      this.folder?.addEventListener("change", () => this.take(folder.chosen(this.folder.files)));
      form.addEventListener("change", () => this.showLabel());
      this.showLabel();
    }

    // The name of a preview is asked for where there is to be one.
    showLabel() {
      const label = this.form.querySelector("[name=label]")?.closest(".group");
      if (label) label.hidden = this.form.querySelector("[name=environment]:checked")?.value !== "preview";
    }

    // An archive as it is; a folder, files, or a page alone, as one archive.
    async drop({ files, items }) {
      if (folder.isFile(files, items)) return this.pick(files);
      this.chose("The folder is being read …");
      try {
        this.take(await folder.dropped(items));
      } catch {
        this.refuse(folder.unreadable);
      }
    }

    pick(files) {
      if (folder.isPage(files)) return this.take(folder.chosen(files));
      this.file.files = files;
      this.chose("");
    }

    take(entries) {
      const problem = folder.problem(entries);
      if (problem) return this.refuse(problem);
      const files = new DataTransfer();
      files.items.add(folder.packed(entries));
      this.file.files = files.files;
      this.chose(folder.told(entries));
    }

    chose(said) {
      this.say([]);
      const picked = this.form.querySelector(".picked");
      if (picked) picked.textContent = said;
    }

    refuse(problem) {
      this.file.value = "";
      if (this.folder) this.folder.value = "";
      this.chose("");
      this.say([problem]);
    }

    start(event) {
      event.preventDefault();
      if (this.request) return;
      if (!this.file.files.length) {
        this.say(["Choose an archive or a folder, or drop one here."]);
        return this.file.focus();
      }
      const data = new FormData(this.form);
      const request = (this.request = new XMLHttpRequest());
      request.upload.addEventListener("progress", (sent) => this.show(sent));
      request.addEventListener("load", () => this.end(request));
      request.addEventListener("error", () => this.fail([REASONS[0]]));
      request.addEventListener("abort", () => this.fail([]));
      request.open("POST", this.form.action);
      request.setRequestHeader("Accept", "application/json");
      this.say([]);
      this.busy(true);
      request.send(data);
    }

    show({ loaded, total }) {
      this.sending.querySelector("progress").value = (100 * loaded) / total;
      this.sending.querySelector("p").textContent =
        loaded < total ? `${folder.size(loaded)} of ${folder.size(total)} sent` : "All is sent; it is put down …";
    }

    end(request) {
      let answer = {};
      try {
        answer = JSON.parse(request.responseText);
      } catch {
        // A page of a proxy, or of the login.
      }
      if (answer.url) {
        this.request = null;
        location.href = answer.url;
        return;
      }
      const status = request.status === 200 ? 403 : request.status;
      this.fail(answer.problems ?? [REASONS[status] ?? `cloudadmin failed at it (${status}); its log has the details.`]);
    }

    cancel(event) {
      const dialog = this.form.closest("dialog");
      if (this.request) this.request.abort();
      else if (dialog) dialog.close();
      else return;
      event.preventDefault();
    }

    fail(problems) {
      this.request = null;
      this.busy(false);
      this.say(problems);
    }

    busy(is) {
      this.fields.inert = is;
      this.sending.hidden = !is;
      this.sending.querySelector("progress").value = 0;
      this.sending.querySelector("p").textContent = is ? "The upload begins …" : "";
      this.form.querySelector("[type=submit]").toggleAttribute("disabled", is);
    }

    say(problems) {
      this.problems.replaceChildren(
        ...problems.map((text) => Object.assign(document.createElement("p"), { className: "error", textContent: text })),
      );
    }
  }

  const uploads = [...document.querySelectorAll("[data-upload]")].map((form) => new Upload(form));
  const upload = uploads[0];
  if (!upload) return;
  const dialog = upload.form.closest("dialog");
  const open = () => dialog && !dialog.open && dialog.showModal();

  if (dialog) {
    // The button is in a part that is refreshed: it is looked for when it is used.
    document.addEventListener("click", (event) => {
      const isPlain = !event.ctrlKey && !event.metaKey && !event.shiftKey;
      if (!isPlain || !event.target.closest(dialog.dataset.drop)) return;
      event.preventDefault();
      open();
    });
    dialog.addEventListener("cancel", (event) => upload.request && event.preventDefault());
  }

  // A file may be let go anywhere on the page.
  const hasFile = (event) => event.dataTransfer?.types.includes("Files");
  let inside = 0;
  const mark = () => document.body.classList.toggle("dropping", inside > 0);
  document.addEventListener("dragenter", (event) => {
    if (!hasFile(event)) return;
    inside += 1;
    mark();
  });
  document.addEventListener("dragleave", (event) => {
    if (!hasFile(event)) return;
    inside = Math.max(0, inside - 1);
    mark();
  });
  document.addEventListener("dragover", (event) => hasFile(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    inside = 0;
    mark();
    if (upload.request) return;
    open();
    upload.drop(event.dataTransfer);
  });

  addEventListener("beforeunload", (event) => upload.request && event.preventDefault());
})();
