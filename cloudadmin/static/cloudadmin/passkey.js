// What went wrong with a passkey, said beside its button.
document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  const reason = event.detail.exception?.name;
  const isGivenUp = reason === "NotAllowedError" || reason === "AbortError";
  const words = isGivenUp
    ? "That was given up, or took too long. Try again."
    : "This browser or device cannot use a passkey here. On a server without HTTPS none works.";
  const button = document.querySelector("#passkey_login, [id^=mfa_webauthn_]");
  const found = document.getElementById("passkey-error");
  const note = found ?? document.createElement("p");
  note.id = "passkey-error";
  note.className = "error";
  note.setAttribute("role", "alert");
  note.textContent = words;
  if (!found) button.parentElement.after(note);
});
