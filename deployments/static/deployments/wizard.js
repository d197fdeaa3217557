// The first screen: a folder becomes one archive here, and is sent with what was sent of it. The
// third: what changed is said. Without this script an archive is sent as any form is.
(() => {
  class Wizard {
    constructor(form) {
      this.form = form;
      this.file = form.querySelector("#id_file");
      this.folder = form.querySelector("#id_folder");
      this.picked = form.querySelector(".picked");
      this.problems = form.querySelector(".problems");
      this.sending = form.querySelector(".sending");
      this.stop = form.querySelector("[data-stop]");
      this.archive = null;
      this.file.addEventListener("change", () => {
        this.folder.value = "";
        this.pick(this.file.files);
      });
      this.folder.addEventListener("change", () =>
        this.take(folder.chosen(this.folder.files)));
      form.addEventListener("input", ({ target }) => this.amend(target));
      form.addEventListener("submit", (event) => this.submit(event));
      this.stop.addEventListener("click", () => this.request?.abort());
      addEventListener("beforeunload", (event) => this.request && event.preventDefault());
      this.hear(form.querySelector("[data-drop]"));
    }

    hear(area) {
      const hasFile = (event) => event.dataTransfer?.types.includes("Files");
      document.addEventListener("dragover", (event) => {
        if (!hasFile(event)) return;
        event.preventDefault();
        area.classList.add("over");
      });
      document.addEventListener("dragleave", (event) => event.relatedTarget || area.classList.remove("over"));
      document.addEventListener("drop", async (event) => {
        if (!hasFile(event)) return;
        event.preventDefault();
        area.classList.remove("over");
        if (this.request) return;
        this.form.querySelector("[name=source][value=files]").checked = true;
        const { files, items } = event.dataTransfer;
        if (folder.isFile(files, items)) return this.pick(files);
        this.tell("The folder is being read …");
        try {
          this.take(await folder.dropped(items));
        } catch {
          this.refuse(folder.unreadable);
        }
      });
    }

    pick(files) {
      if (folder.isPage(files)) return this.take(folder.chosen(files));
      this.chose(files[0], files[0]?.name);
    }

    // A folder, as one archive under its name.
    take(entries) {
      this.file.value = "";
      const problem = folder.problem(entries, this.form.dataset);
      if (problem) return this.refuse(problem);
      const archive = folder.packed(entries);
      this.chose(archive, archive.name, folder.told(entries));
    }

    chose(archive, name, said) {
      this.archive = archive ? { archive, name } : null;
      this.say("");
      this.tell(archive ? said ?? `${name}: ${folder.size(archive.size)}` : "");
    }

    refuse(problem) {
      this.archive = null;
      this.folder.value = "";
      this.tell("");
      this.say(problem);
    }

    tell(text) {
      this.picked.textContent = text;
    }

    // What was wrong with the file before it says nothing of this one.
    say(problem) {
      this.form.querySelector("#file-problem")?.remove();
      const shown = problem ? [Object.assign(document.createElement("p"), { className: "error", textContent: problem })] : [];
      this.problems.replaceChildren(...shown);
    }

    // Nor does what was wrong with an answer say anything of the next one.
    amend(field) {
      const described = field.getAttribute("aria-describedby") ?? "";
      const problem = described.split(" ").find((id) => id.endsWith("-problem"));
      if (!problem) return;
      this.form.querySelector(`#${problem}`)?.remove();
      field.removeAttribute("aria-invalid");
    }

    submit(event) {
      if (this.request) return event.preventDefault();
      const isFiles = this.form.querySelector("[name=source]:checked")?.value === "files";
      if (!isFiles || !this.archive) return;
      event.preventDefault();
      const data = new FormData(this.form);
      data.delete("file");
      data.append("file", this.archive.archive, this.archive.name);
      const request = (this.request = new XMLHttpRequest());
      request.upload.addEventListener("progress", ({ loaded, total }) => {
        this.sending.querySelector("progress").value = (100 * loaded) / total;
        this.sending.querySelector("p").textContent =
          loaded < total ? `${folder.size(loaded)} of ${folder.size(total)} sent` : "All is sent; it is opened and checked …";
      });
      request.addEventListener("load", () => this.end(request));
      request.addEventListener("error", () => this.fail("The connection broke, or a file was changed meanwhile. What you typed is still here; send it again."));
      request.addEventListener("abort", () => this.fail(""));
      request.open("POST", this.form.action);
      request.setRequestHeader("Accept", "application/json");
      this.busy(true);
      request.send(data);
    }

    end(request) {
      let answer = {};
      try {
        answer = JSON.parse(request.responseText);
      } catch {
        // A page of a proxy, or of the login.
      }
      this.request = null;
      if (answer.url) return location.assign(answer.url);
      const why = { 200: "You are logged out. Log in in another tab, then send it again.",
        403: "You are logged out, or may not make sites. Log in in another tab, then send it again.",
        413: "The server in front of cloudadmin takes no file as large as this. Raise its limit, or use manage.py deploy_site." };
      this.fail(why[request.status] ?? `cloudadmin failed at it (${request.status}); its log has the details.`);
    }

    fail(problem) {
      this.request = null;
      this.busy(false);
      this.say(problem);
    }

    busy(is) {
      this.form.querySelectorAll("section.panel").forEach((part) => (part.inert = is));
      this.sending.hidden = !is;
      this.stop.hidden = !is;
      this.sending.querySelector("progress").value = 0;
      this.sending.querySelector("p").textContent = is ? "The upload begins …" : "";
      this.form.querySelectorAll("[type=submit]").forEach((button) => (button.disabled = is));
      this.say("");
    }
  }

  const form = document.querySelector("[data-wizard]");
  if (form) new Wizard(form);

  // Said once for each change, and not with each look.
  document.addEventListener("htmx:afterSwap", () => {
    const said = document.querySelector("#launch-said");
    const now = document.querySelector("[data-said]")?.dataset.said;
    if (said && now && said.textContent !== now) said.textContent = now;
  });
})();
