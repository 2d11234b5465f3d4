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
    this.querySelector("progress").value = report.progress;
    this.querySelector("output").textContent = report.text;
    this.dispatchEvent(new CustomEvent("task", { detail: report, bubbles: true }));
  }
}

customElements.define("task-progress", TaskProgress);
