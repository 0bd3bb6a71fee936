mod dashboards;
mod page;
mod rules;
