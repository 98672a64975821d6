
/** The pictures of runs. With `data.now` those of one run, followed while it trains, and what else there is of each step beside them. */
class Filmed {
  constructor(place, data) {
    const source = (name, step) => {
      const [kind, ...run] = name.split("/");
      return `/lab/picture/${kind}/${step}?run=${encodeURIComponent(run.join("/"))}`;
    };
    this.film = film(place, data, { source });
  }

  /** What the run has now; the seconds until it is asked again. */
  take(told) {
    this.kept = told.steps;
    this.beside.take(told);
    this.show();
    return told.seconds;
  }

  update(data) {
    this.data = data;
    if (data.now && !this.beside) this.join(data); // a run's first moment is written after its first pictures
    else if (data.now) this.beside.reword(data.now, data.lang);
    this.show();
  }

  join({ now, lang }) {
    this.film.join((list) => (this.beside = new (now.judged ? Strip : Cloud)(list, now, lang)));
    this.asking = follow(() => this.data.now?.address, (told) => this.take(told));
  }

  show() {
    const runs = this.data.runs.map((run) => ({ ...run, steps: this.kept?.[run.name.split("/")[0]] ?? run.steps }));
    this.film.update({ ...this.data, runs });
  }

  destroy() {
    this.asking?.end();
    this.film.destroy();
  }
}

export default component("chart", (place, data) => new Filmed(place, data), (filmed, data) => filmed.update(data));
