// <task-progress topic="task:...">: the bar of a background task, kept up to date by its topic.
// The page has {% topics_client %} before it. Each report is also an event "task", with it as the detail.

class TaskProgress extends HTMLElement {
  connectedCallback() {
    this.subscription = topics.connect().subscribe(this.getAttribute("topic"));
    this.subscription.on("publication", ({ data }) => this.show(data));
  }

  disconnectedCallback() {
    this.subscription.unsubscribe();
  }

  show(report) {
    this.dataset.status = report.status;
    const bar = this.querySelector("progress");
    if (report.status !== "FAILED") bar.value = report.progress; // else it stays where it was
    bar.dataset.status = report.status;
    bar.setAttribute("aria-label", report.text || report.status);
    this.querySelector("output").textContent = report.text || report.error;
    this.dispatchEvent(new CustomEvent("task", { detail: report, bubbles: true }));
  }
}

customElements.define("task-progress", TaskProgress);
