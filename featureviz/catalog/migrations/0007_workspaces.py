
import django.db.models.deletion
import featureviz.catalog.models
from django.conf import settings
from django.db import migrations, models


def into_the_public_workspace(apps, schema_editor):
    """What was here before there were workspaces stays readable by everybody."""
    dictionaries = apps.get_model("catalog", "Dictionary").objects.filter(workspace=None)
    if dictionaries.exists():
        public, _ = apps.get_model("catalog", "Workspace").objects.get_or_create(
            slug="public", defaults={"name": "Public", "visibility": "public"}
        )
        dictionaries.update(workspace=public)


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0006_glances'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Workspace',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(max_length=60, unique=True)),
                ('name', models.CharField(max_length=100)),
                ('visibility', models.CharField(choices=[('private', 'Members only'), ('link', 'Whoever has its link'), ('public', 'Everybody')], default='private', max_length=7)),
                ('token', models.CharField(default=featureviz.catalog.models.new_token, max_length=43, unique=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='Invitation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('token', models.CharField(default=featureviz.catalog.models.new_token, max_length=43, unique=True)),
                ('role', models.PositiveSmallIntegerField(choices=[(1, 'reader'), (3, 'annotator'), (4, 'editor'), (5, 'owner')])),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('expires_at', models.DateTimeField()),
                ('revoked_at', models.DateTimeField(null=True)),
                ('n_used', models.PositiveIntegerField(default=0)),
                ('invited_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='invitations', to='catalog.workspace')),
            ],
            options={
                'ordering': ['-created_at'],
            },
        ),
        migrations.AddField(
            model_name='dictionary',
            name='workspace',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='dictionaries', to='catalog.workspace'),
        ),
        migrations.RunPython(into_the_public_workspace, migrations.RunPython.noop),
        migrations.CreateModel(
            name='Membership',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('role', models.PositiveSmallIntegerField(choices=[(1, 'reader'), (3, 'annotator'), (4, 'editor'), (5, 'owner')])),
                ('since', models.DateTimeField(auto_now_add=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to=settings.AUTH_USER_MODEL)),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to='catalog.workspace')),
            ],
            options={
                'ordering': ['-role', 'user__username'],
                'constraints': [models.UniqueConstraint(fields=('workspace', 'user'), name='member_once')],
            },
        ),
    ]
