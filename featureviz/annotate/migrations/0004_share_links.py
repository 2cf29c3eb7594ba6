
import django.db.models.deletion
import featureviz.catalog.models
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('annotate', '0003_comments'),
        ('catalog', '0008_every_dictionary_in_a_workspace'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ShareLink',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('token', models.CharField(default=featureviz.catalog.models.new_token, max_length=43, unique=True)),
                ('address', models.CharField(max_length=2000)),
                ('scope', models.CharField(choices=[('read', 'read'), ('comment', 'read and comment'), ('annotate', 'read, comment and explain')], max_length=8)),
                ('password', models.CharField(blank=True, max_length=200)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('expires_at', models.DateTimeField(null=True)),
                ('revoked_at', models.DateTimeField(null=True)),
                ('n_opened', models.PositiveIntegerField(default=0)),
                ('created_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='share_links', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-created_at'],
            },
        ),
        migrations.CreateModel(
            name='ShareTarget',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('index', models.PositiveIntegerField(null=True)),
                ('dictionary', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalog.dictionary')),
                ('link', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='targets', to='annotate.sharelink')),
            ],
        ),
    ]
