// Shows what went wrong below it. main.tsx puts it around the app.
import { Component, type ReactNode } from 'react';
import { Notice } from './Notice';

export class ErrorBoundary extends Component<{ children: ReactNode }> {
  override state: { error?: unknown } = {};

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render() {
    return 'error' in this.state ? <Notice error={this.state.error} /> : this.props.children;
  }
}
