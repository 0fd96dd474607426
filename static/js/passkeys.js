// Passkeys: when a form marked data-passkey is sent, ask the browser for a credential, put it into
// the form and send it. Nothing else happens here: the server decides.
//
//   data-passkey      "create" or "get"
//   data-options      the server's options as JSON, or
//   data-options-url  where to fetch them, when the button is pressed

const { webauthnJSON } = window;

function show(form, trouble) {
  for (const notice of form.querySelectorAll("[data-trouble]")) {
    notice.hidden = notice.dataset.trouble !== trouble;
  }
}

async function optionsOf(form) {
  if (form.dataset.options) return JSON.parse(form.dataset.options);
  const answer = await fetch(form.dataset.optionsUrl, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`options: ${answer.status}`);
  return (await answer.json()).request_options;
}

function adjust(options, form) {
  const alone = form.elements.passwordless?.checked;
  if (alone === undefined) return options;
  const wanted = options.publicKey.authenticatorSelection;
  wanted.residentKey = alone ? "required" : "discouraged";
  wanted.requireResidentKey = alone;
  if (alone) wanted.userVerification = "required";
  return options;
}

async function send(form) {
  const button = form.querySelector("button[type=submit]");
  button.disabled = true;
  show(form, "");
  try {
    const options = adjust(await optionsOf(form), form);
    const credential = await webauthnJSON[form.dataset.passkey](options);
    form.elements.credential.value = JSON.stringify(credential);
    form.submit();
  } catch (error) {
    show(form, error.name === "SecurityError" ? "unsupported" : "failed");
    button.disabled = false;
  }
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  const supported = Boolean(webauthnJSON?.supported());
  if (form.hasAttribute("hidden")) form.hidden = !supported;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (supported) send(form);
    else show(form, "unsupported");
  });
}
