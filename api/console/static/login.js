// A link may carry the token behind `#`, which browsers send to nobody: fill it in and sign in.
const token = decodeURIComponent(location.hash.slice(1));
if (token) {
  history.replaceState(null, "", location.pathname + location.search);
  document.getElementById("token").value = token;
  document.getElementById("token").form.requestSubmit();
}
